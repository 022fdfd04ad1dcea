"""Coarse indexes: which windows of a library are most like some vectors. Several engines, one contract.

    exact       a plain scan: right always, 0.2 s for 1.6 million windows of width 64 (docs/results.md)
    flat        FAISS, numbers of 8 bits, a scan
    inverted    FAISS, numbers of 8 bits, looks only into the cells near the query

All give inner products, largest first. The last two need the extra `search` (faiss-cpu).

Q queries, W windows, C cells, K results, D width.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import ConfigError

CoarseName = Literal["exact", "flat", "inverted"]

#: Windows of a block of a scan: bounds memory.
_BLOCK_WINDOWS: Final = 1 << 16
#: Windows from which on FAISS is worth its making, and numbers up to which it scans all of them (bytes).
_FAISS_FROM: Final = 20_000
_FLAT_UP_TO: Final = 32 << 20
#: Windows for each cell of an inverted index, about; and the share of the cells that is looked into.
_WINDOWS_PER_CELL: Final = 400
_PROBED_SHARE: Final = 1 / 16
_MOST_CELLS: Final = 4096
#: Growth of the number of cells that windows want at which all cells are found anew.
_MOST_GROWTH: Final = 2
#: Windows that cells are found by, for each of them; and windows that the range of numbers is found by.
_SAMPLE_PER_CELL: Final = 40
_RANGE_SAMPLE: Final = 1 << 16


class CoarseIndex(Protocol):
    """An index over the windows of one sense."""

    def add(self, rows_WD: NDArray[np.float16]) -> None:
        """Add windows behind those that are there."""
        ...

    def search(
        self, queries_QD: NDArray[np.float32], *, num_results: int, allowed_W: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The windows with the largest inner products.

        Args:
            queries_QD: Vectors, of any length.
            num_results: K, results for each query at most.
            allowed_W: Windows that may be found; None allows all.

        Returns:
            Products [Q, K] and windows [Q, K], best first; where there are fewer, -inf and -1.
        """
        ...


class ExactIndex:
    """Scan of all windows.

    Args:
        rows_WD: float16 windows.
    """

    def __init__(self, rows_WD: NDArray[np.float16]) -> None:
        self._rows_WD = rows_WD

    def add(self, rows_WD: NDArray[np.float16]) -> None:
        """Add windows behind those that are there."""
        self._rows_WD = np.concatenate([self._rows_WD, rows_WD])

    def search(
        self, queries_QD: NDArray[np.float32], *, num_results: int, allowed_W: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `CoarseIndex.search`."""
        num_queries = len(queries_QD)
        best = np.full((num_queries, num_results), -np.inf, np.float32)
        windows = np.full((num_queries, num_results), -1, np.int64)
        for start in range(0, len(self._rows_WD), _BLOCK_WINDOWS):
            block_WD = self._rows_WD[start : start + _BLOCK_WINDOWS].astype(np.float32)
            products_QW = queries_QD @ block_WD.T
            if allowed_W is not None:
                products_QW[:, ~allowed_W[start : start + len(block_WD)]] = -np.inf
            numbers_QW = np.broadcast_to(np.arange(start, start + len(block_WD)), products_QW.shape)
            best, windows = _largest(
                np.concatenate([best, products_QW], axis=1),
                np.concatenate([windows, numbers_QW], axis=1),
                num_results,
            )
        windows[np.isneginf(best)] = -1
        return best, windows


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """Cells of an inverted index. To find them takes most of the time of making it, so they are kept.

    Attributes:
        centres_CD: float32, centre of each cell.
        cell_W: Cell of each window; those of later windows are found when they are added.
    """

    centres_CD: NDArray[np.float32]
    cell_W: NDArray[np.int32]


class FlatIndex:
    """Index of FAISS that scans all windows.

    Args:
        rows_WD: float16 windows.

    Raises:
        ConfigError: The extra search is missing.
    """

    def __init__(self, rows_WD: NDArray[np.float16]) -> None:
        self._faiss = load_faiss()
        width = rows_WD.shape[1]
        self._index = self._faiss.IndexScalarQuantizer(
            width, self._faiss.ScalarQuantizer.QT_8bit, self._faiss.METRIC_INNER_PRODUCT
        )
        self._index.train(_sample(rows_WD, _RANGE_SAMPLE))
        self.add(rows_WD)

    def add(self, rows_WD: NDArray[np.float16]) -> None:
        """Add windows behind those that are there."""
        for start in range(0, len(rows_WD), _BLOCK_WINDOWS):
            self._index.add(rows_WD[start : start + _BLOCK_WINDOWS].astype(np.float32))

    def search(
        self, queries_QD: NDArray[np.float32], *, num_results: int, allowed_W: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `CoarseIndex.search`."""
        how: dict[str, Any] = {} if allowed_W is None else {"sel": _selector(self._faiss, allowed_W)}
        parameters = self._faiss.SearchParameters(**how)
        return _searched(self._index, queries_QD, num_results, parameters)


class InvertedIndex:
    """Index of FAISS that looks only into the cells near a query.

    Args:
        rows_WD: float16 windows.
        cells: Cells that were found before; None finds them.

    Raises:
        ConfigError: The extra search is missing.
    """

    def __init__(self, rows_WD: NDArray[np.float16], cells: Cells | None = None) -> None:
        self._faiss = faiss = load_faiss()
        count, width = rows_WD.shape
        if cells is None or _num_cells(count) > _MOST_GROWTH * len(cells.centres_CD):
            cells = Cells(centres_CD=_centres(faiss, rows_WD), cell_W=np.zeros(0, np.int32))
        self._centres_CD, num_cells = cells.centres_CD, len(cells.centres_CD)
        self._near = faiss.IndexFlatIP(width)
        self._near.add(self._centres_CD)
        self._index = faiss.IndexIVFScalarQuantizer(
            self._near, width, num_cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        self._index.train(_sample(rows_WD, _RANGE_SAMPLE))
        self._num_probed = max(1, round(num_cells * _PROBED_SHARE))
        self._cells: list[NDArray[np.int32]] = []
        known = min(len(cells.cell_W), count)
        self._add(rows_WD[:known], cells.cell_W[:known])
        self.add(rows_WD[known:])

    def has_too_few_cells(self, num_windows: int) -> bool:
        """Whether so many windows want cells of their own: these were found when there were far fewer."""
        return _num_cells(num_windows) > _MOST_GROWTH * len(self._centres_CD)

    @property
    def cells(self) -> Cells:
        """Cells of all windows, to be kept."""
        return Cells(
            centres_CD=self._centres_CD, cell_W=np.concatenate([np.zeros(0, np.int32), *self._cells])
        )

    def add(self, rows_WD: NDArray[np.float16]) -> None:
        """Add windows behind those that are there, to the cells that are there."""
        blocks = [rows_WD[at : at + _BLOCK_WINDOWS] for at in range(0, len(rows_WD), _BLOCK_WINDOWS)]
        for block_WD in blocks:
            _, nearest = self._near.search(block_WD.astype(np.float32), 1)
            self._add(block_WD, nearest[:, 0].astype(np.int32))

    def search(
        self, queries_QD: NDArray[np.float32], *, num_results: int, allowed_W: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `CoarseIndex.search`."""
        how: dict[str, Any] = {} if allowed_W is None else {"sel": _selector(self._faiss, allowed_W)}
        parameters = self._faiss.SearchParametersIVF(nprobe=self._num_probed, **how)
        return _searched(self._index, queries_QD, num_results, parameters)

    def _add(self, rows_WD: NDArray[np.float16], cell_W: NDArray[np.int32]) -> None:
        pointer = self._faiss.swig_ptr
        for start in range(0, len(rows_WD), _BLOCK_WINDOWS):
            block_WD = np.ascontiguousarray(rows_WD[start : start + _BLOCK_WINDOWS], np.float32)
            cells = np.ascontiguousarray(cell_W[start : start + len(block_WD)], np.int64)
            first = self._index.ntotal
            numbers = np.arange(first, first + len(block_WD), dtype=np.int64)
            self._index.add_core(len(block_WD), pointer(block_WD), pointer(numbers), pointer(cells))
        self._cells.append(np.asarray(cell_W, np.int32))


def make_coarse(rows_WD: NDArray[np.float16], name: CoarseName, cells: Cells | None = None) -> CoarseIndex:
    """An index over windows.

    Args:
        rows_WD: float16 windows.
        name: The engine.
        cells: Cells that were found before, for the inverted one.

    Raises:
        ConfigError: It needs the extra search, which is missing.
    """
    if name == "exact" or len(rows_WD) == 0:
        return ExactIndex(rows_WD)
    return FlatIndex(rows_WD) if name == "flat" else InvertedIndex(rows_WD, cells)


def choose_coarse(num_windows: int, *, width: int) -> CoarseName:
    """The engine for so many windows of a width: FAISS for many, inverted where a scan is slow."""
    if num_windows < _FAISS_FROM:
        return "exact"
    try:
        load_faiss()
    except ConfigError:
        return "exact"
    return "flat" if num_windows * width <= _FLAT_UP_TO else "inverted"


def load_faiss() -> Any:
    """The library FAISS.

    Raises:
        ConfigError: It is missing.
    """
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            "This engine needs FAISS: pip install 'cavmae-sync[search]'. Without it, the exact scan is used."
        ) from error
    return faiss


def _largest(
    scores_QN: NDArray[np.float32], numbers_QN: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The largest scores of each row, best first."""
    chosen = np.argpartition(-scores_QN, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores_QN, chosen, axis=1), axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1)
    return np.take_along_axis(scores_QN, chosen, axis=1), np.take_along_axis(numbers_QN, chosen, axis=1)


def _sample(rows_WD: NDArray[np.float16], most: int) -> NDArray[np.float32]:
    """Rows chosen evenly, so that the same windows give the same index."""
    chosen = np.linspace(0, len(rows_WD) - 1, min(len(rows_WD), most)).astype(np.int64)
    return rows_WD[chosen].astype(np.float32)


def _num_cells(num_windows: int) -> int:
    return min(max(1, num_windows // _WINDOWS_PER_CELL), _MOST_CELLS)


def _centres(faiss: Any, rows_WD: NDArray[np.float16]) -> NDArray[np.float32]:
    count, width = rows_WD.shape
    num_cells = _num_cells(count)
    sample = _sample(rows_WD, max(256, _SAMPLE_PER_CELL * num_cells))
    means = faiss.Kmeans(width, num_cells, niter=10, spherical=True, seed=0, min_points_per_centroid=1)
    means.train(sample)
    return means.centroids


def _selector(faiss: Any, allowed_W: NDArray[np.bool_]) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(allowed_W, bitorder="little"))


def _searched(
    index: Any, queries_QD: NDArray[np.float32], num_results: int, parameters: Any
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    found, windows = index.search(
        np.ascontiguousarray(queries_QD, np.float32), num_results, params=parameters
    )
    found[windows < 0] = -np.inf
    return found, windows

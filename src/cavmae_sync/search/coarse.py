"""Coarse indexes: which windows of a library are most like some vectors. Several engines, one contract.

    exact       a plain scan: right always, 0.2 s for 1.6 million windows of width 64 (docs/results.md)
    flat        FAISS, numbers of 8 bits, a scan
    inverted    FAISS, numbers of 8 bits, looks only into the cells near the query

All give inner products, largest first. The last two need the extra `search` (faiss-cpu).

Q queries, W windows, K results, D width.
"""

from collections.abc import Mapping
from types import MappingProxyType
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


class CoarseIndex(Protocol):
    """An index over the windows of one sense."""

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


class FaissIndex:
    """Index of FAISS.

    Args:
        rows_WD: float16 windows.
        is_inverted: Whether it looks only into the cells near a query.

    Raises:
        ConfigError: The extra search is missing.
    """

    def __init__(self, rows_WD: NDArray[np.float16], *, is_inverted: bool) -> None:
        self._faiss = load_faiss()
        count, width = rows_WD.shape
        num_cells = max(1, count // _WINDOWS_PER_CELL) if is_inverted else 0
        recipe = f"IVF{num_cells},SQ8" if is_inverted else "SQ8"
        self._index = self._faiss.index_factory(width, recipe, self._faiss.METRIC_INNER_PRODUCT)
        if count:
            # Chosen evenly, so that the same windows give the same cells.
            sample = np.linspace(0, count - 1, min(count, max(256, 40 * num_cells))).astype(np.int64)
            self._index.train(rows_WD[sample].astype(np.float32))
        for start in range(0, count, _BLOCK_WINDOWS):
            self._index.add(rows_WD[start : start + _BLOCK_WINDOWS].astype(np.float32))
        self._num_probed = max(1, round(num_cells * _PROBED_SHARE)) if is_inverted else 0

    def search(
        self, queries_QD: NDArray[np.float32], *, num_results: int, allowed_W: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `CoarseIndex.search`."""
        if self._index.ntotal == 0:
            shape = (len(queries_QD), num_results)
            return np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
        how: dict[str, Any] = {}
        if allowed_W is not None:
            bits = np.packbits(allowed_W, bitorder="little")
            how["sel"] = self._faiss.IDSelectorBitmap(bits)
        if self._num_probed:
            parameters = self._faiss.SearchParametersIVF(nprobe=self._num_probed, **how)
        else:
            parameters = self._faiss.SearchParameters(**how)
        found, windows = self._index.search(
            np.ascontiguousarray(queries_QD, np.float32), num_results, params=parameters
        )
        found[windows < 0] = -np.inf
        return found, windows


def make_coarse(rows_WD: NDArray[np.float16], name: CoarseName) -> CoarseIndex:
    """An index over windows.

    Raises:
        ConfigError: It needs the extra search, which is missing.
    """
    return _ENGINES[name](rows_WD)


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


_ENGINES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "exact": ExactIndex,
        "flat": lambda rows: FaissIndex(rows, is_inverted=False),
        "inverted": lambda rows: FaissIndex(rows, is_inverted=True),
    }
)

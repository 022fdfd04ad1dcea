"""Coarse indexes over the timelines of a library: one for each sense and kind of window, made when needed.

When the library grows they grow with it. W windows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.search.cells import read_cells, write_cells
from cavmae_sync.search.coarse import (
    CoarseIndex,
    CoarseName,
    ExactIndex,
    InvertedIndex,
    choose_coarse,
    make_coarse,
)
from cavmae_sync.search.timeline import Timelines
from cavmae_sync.search.windows import Windows, places_as_windows, windows_of

#: Growth since cells were written at which they are written again.
_WRITE_AGAIN: Final = 1.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexed:
    """An index, and where its windows are.

    Attributes:
        index: The index.
        name: Its engine.
        place_W: Place that each window begins at.
        content_W: Number of the content that each window is in.
        contents: Contents whose windows are in.
    """

    index: CoarseIndex
    name: CoarseName
    place_W: NDArray[np.int64]
    content_W: NDArray[np.int64]
    contents: tuple[str, ...]


class CoarseIndexes:
    """Coarse indexes over the timelines of a library.

    Args:
        timelines: The timelines.
        name: Engine; None chooses by size.
    """

    def __init__(self, timelines: Timelines, name: CoarseName | None = None) -> None:
        self._timelines, self._name = timelines, name
        self._made: dict[tuple[Sense, bool], Indexed] = {}

    def follow(self, timelines: Timelines) -> None:
        """Use timelines that hold more; indexes take in what is new when they are asked for."""
        self._timelines = timelines

    def get(self, sense: Sense, *, is_short: bool) -> Indexed:
        """Index of a sense.

        Args:
            sense: Audio or visual.
            is_short: Whether each place is a window of its own.
        """
        key = (sense, is_short)
        made = self._made.get(key)
        if made is None or made.contents is not self._timelines.contents:
            self._made[key] = self._grown(made, sense, is_short=is_short) or self._fresh(
                sense, is_short=is_short
            )
        return self._made[key]

    def _windows(self, sense: Sense, first: int, *, is_short: bool) -> Windows:
        """Windows of all contents from a number on."""
        timelines = self._timelines
        first_C, count_C = timelines.first_C[first:], timelines.count_C[first:]
        low = int(first_C[0]) if len(first_C) else timelines.num_places
        rows_GD, present_G = timelines.mapped(sense)[low:], timelines.present(sense)[low:]
        found = (
            places_as_windows(rows_GD, present_G)
            if is_short
            else windows_of(rows_GD, first_C=first_C - low, count_C=count_C)
        )
        return Windows(rows_WD=found.rows_WD, place_W=found.place_W + low)

    def _fresh(self, sense: Sense, *, is_short: bool) -> Indexed:
        timelines, windows = self._timelines, self._windows(sense, 0, is_short=is_short)
        name = self._name or choose_coarse(len(windows.place_W), width=timelines.width)
        path = timelines.folder / f"{sense}-{'short' if is_short else 'long'}.cells"
        cells = None
        if name == "inverted":
            cells = read_cells(path, width=timelines.width, num_windows=len(windows.place_W))
        num_known = 0 if cells is None else len(cells.cell_W)
        index = make_coarse(windows.rows_WD, name, cells)
        if isinstance(index, InvertedIndex) and len(windows.place_W) > _WRITE_AGAIN * num_known:
            write_cells(path, index.cells)
        return self._indexed(index, name, windows.place_W)

    def _grown(self, made: Indexed | None, sense: Sense, *, is_short: bool) -> Indexed | None:
        """The same index with what is new, or None where a fresh one is better."""
        if made is None or isinstance(made.index, ExactIndex):
            return None
        if self._timelines.contents[: len(made.contents)] != made.contents:
            return None  # they were made again, in another order
        windows = self._windows(sense, len(made.contents), is_short=is_short)
        place_W = np.concatenate([made.place_W, windows.place_W])
        is_same = self._name or choose_coarse(len(place_W), width=self._timelines.width) == made.name
        is_cramped = isinstance(made.index, InvertedIndex) and made.index.has_too_few_cells(len(place_W))
        if not is_same or is_cramped:
            return None
        made.index.add(windows.rows_WD)
        return self._indexed(made.index, made.name, place_W)

    def _indexed(self, index: CoarseIndex, name: CoarseName, place_W: NDArray[np.int64]) -> Indexed:
        return Indexed(
            index=index,
            name=name,
            place_W=place_W,
            content_W=self._timelines.content_of(place_W),
            contents=self._timelines.contents,
        )

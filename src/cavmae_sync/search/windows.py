"""Windows: means of a few neighbouring moments, by which places worth a closer look are found.

For long queries a window is four places of a grid, and begins every two. Its row is the mean of the places
that are present, and so is shorter than 1 where they are unlike each other. For short ones each place is a
window of its own: what is unlike its neighbours cannot be seen in a mean. A window without any present place
is not there.

G places, W windows, D width.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Places of a window for long queries, and from the start of one to the start of the next.
WINDOW_PLACES: Final = 4
WINDOW_HOP: Final = 2
#: Moments of a query up to which each place is a window of its own.
SHORT_QUERY: Final = 4
#: Rows that are averaged at a time.
_BLOCK_ROWS: Final = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Windows of one sense.

    Attributes:
        rows_WD: float16 means.
        place_W: int64, place that each window begins at.
    """

    rows_WD: NDArray[np.float16]
    place_W: NDArray[np.int64]


def places_as_windows(rows_GD: NDArray[np.float16], present_G: NDArray[np.bool_]) -> Windows:
    """Each place that is present as a window of its own.

    Args:
        rows_GD: Rows of grids, one content after the other.
        present_G: Which of them are present.
    """
    place_W = np.flatnonzero(present_G)
    rows_WD = rows_GD if len(place_W) == len(rows_GD) else rows_GD[place_W]
    return Windows(rows_WD=rows_WD, place_W=place_W)


def windows_of(
    rows_GD: NDArray[np.float16], *, first_C: NDArray[np.int64], count_C: NDArray[np.int64]
) -> Windows:
    """Windows of four places of all contents.

    Args:
        rows_GD: Rows of grids, one content after the other; absent places are zero.
        first_C: Place at which each content begins.
        count_C: Its number of places.
    """
    starts = [_starts(int(first), int(count)) for first, count in zip(first_C, count_C, strict=True)]
    place_W = np.concatenate([np.zeros(0, np.int64), *starts])
    stop_W = np.repeat(first_C + count_C, [len(each) for each in starts]) if starts else place_W
    length_W = np.minimum(stop_W - place_W, WINDOW_PLACES)
    rows = [np.zeros((0, rows_GD.shape[1]), np.float16)]
    kept = [np.zeros(0, bool)]
    for block in _blocks(len(place_W)):
        mean_WD, has_any_W = _means(rows_GD, place_W[block], length_W[block])
        rows.append(mean_WD[has_any_W].astype(np.float16))
        kept.append(has_any_W)
    return Windows(rows_WD=np.concatenate(rows), place_W=place_W[np.concatenate(kept)])


def query_windows(rows_ND: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Windows of a query, at most eight, and the place in the query that each begins at.

    Each moment of a short query is one. Longer ones have windows that follow each other, spread over all.
    """
    if len(rows_ND) <= SHORT_QUERY:
        return rows_ND, np.arange(len(rows_ND))
    starts = np.arange(0, max(len(rows_ND) - WINDOW_PLACES, 0) + 1, WINDOW_PLACES)
    if len(starts) > _MOST_QUERY_WINDOWS:
        starts = starts[np.linspace(0, len(starts) - 1, _MOST_QUERY_WINDOWS).round().astype(int)]
    means = np.stack([rows_ND[start : start + WINDOW_PLACES].mean(axis=0) for start in starts])
    return means, starts.astype(np.int64)


_MOST_QUERY_WINDOWS: Final = 8


def _starts(first: int, count: int) -> NDArray[np.int64]:
    """Places at which the windows of a content begin; the last one reaches its end."""
    if count == 0:
        return np.zeros(0, np.int64)
    last = max(count - WINDOW_PLACES, 0)
    return first + np.unique(np.append(np.arange(0, last + 1, WINDOW_HOP), last)).astype(np.int64)


def _blocks(count: int) -> Iterator[slice]:
    size = _BLOCK_ROWS // WINDOW_PLACES
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _means(
    rows_GD: NDArray[np.float16], place_W: NDArray[np.int64], length_W: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    inside = np.arange(WINDOW_PLACES)[None, :] < length_W[:, None]
    places = np.where(inside, place_W[:, None] + np.arange(WINDOW_PLACES)[None, :], place_W[:, None])
    low, high = int(place_W.min()), int((place_W + length_W).max())
    near_GD = np.asarray(rows_GD[low:high], np.float32)
    rows_WND = near_GD[places - low] * inside[:, :, None]
    present = (near_GD != 0).any(axis=1)[places - low] & inside
    counts = present.sum(axis=1)
    return rows_WND.sum(axis=1) / np.maximum(counts, 1)[:, None], counts > 0

"""Placements: a query laid along a content at some place, and how well its moments then fit, exactly.

The score of a placement is the mean cosine of simultaneous moments, over those that both sides have: the
diagonal mean of `embedding.similarity`, shifted. The shorter of the two lies inside the longer one. All
phases of a query are scored together: the rows of a placement are read once.

P placements, K phases of a query, N moments of one, X = N times D, G places of grids, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.search.coarse import CoarseIndex
from cavmae_sync.search.timeline import Timelines
from cavmae_sync.search.windows import SHORT_QUERY, query_windows

#: Share of the moments of an overlap that both sides must have.
_LEAST_PRESENT: Final = 0.5
#: Windows that are asked for for each window of a query, and places worth a closer look for each axis.
_NUM_WINDOWS: Final = 600
_NUM_PLACES: Final = 700
#: A content and an offset as one number.
_OFFSET_BITS: Final = 32
_OFFSET_MASK: Final = (1 << _OFFSET_BITS) - 1
_OFFSET_MIDDLE: Final = 1 << (_OFFSET_BITS - 1)
#: Values that are held at a time: bounds memory, never changes a result.
_MOST_VALUES: Final = 1 << 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Placements:
    """Places at which a query is laid.

    Attributes:
        content_P: Number of the content.
        offset_P: Place of its grid at which the first moment of the query lies; negative where the content is
            the shorter one and begins later.
    """

    content_P: NDArray[np.int64]
    offset_P: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of placements."""
        return len(self.content_P)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Placements":
        """Some of them."""
        return Placements(content_P=self.content_P[chosen], offset_P=self.offset_P[chosen])


def all_placements(
    timelines: Timelines, lengths: Sequence[int], *, allowed_C: NDArray[np.bool_]
) -> Placements:
    """Every placement of queries of some lengths in the contents that may be found."""
    numbers = np.flatnonzero(allowed_C & (timelines.count_C > 0))
    low, high = _room(timelines.count_C[numbers], lengths)
    each = high - low + 1
    content_P = np.repeat(numbers, each)
    starts = np.cumsum(each) - each
    offset_P = np.arange(int(each.sum())) - np.repeat(starts, each) + np.repeat(low, each)
    return Placements(content_P=content_P, offset_P=offset_P)


def placed(
    timelines: Timelines,
    content_P: NDArray[np.int64],
    offset_P: NDArray[np.int64],
    *,
    lengths: Sequence[int],
    near: int = 0,
) -> Placements:
    """Each of some placements once, with those up to `near` steps beside; moved to where there is room."""
    beside = np.arange(-near, near + 1)
    content_P = np.repeat(content_P, len(beside))
    offset_P = (offset_P[:, None] + beside[None, :]).ravel()
    low, high = _room(timelines.count_C[content_P], lengths)
    keys = np.unique(_keys(content_P, np.clip(offset_P, low, high)))
    return Placements(content_P=keys >> _OFFSET_BITS, offset_P=(keys & _OFFSET_MASK) - _OFFSET_MIDDLE)


def likely_placements(
    timelines: Timelines,
    index: CoarseIndex,
    place_W: NDArray[np.int64],
    phases: Sequence[NDArray[np.float32]],
    *,
    allowed_W: NDArray[np.bool_] | None,
) -> Placements:
    """Placements worth scoring: those whose windows are most like windows of the query.

    Args:
        timelines: The library.
        index: Index over its windows.
        place_W: Place that each window begins at.
        phases: Rows [N, D] of one sense of each phase of the query.
        allowed_W: Windows that may be found; None allows all.
    """
    asked = [query_windows(rows_ND) for rows_ND in phases]
    means_QD = np.concatenate([means for means, _ in asked])
    starts_Q = np.concatenate([starts for _, starts in asked])
    products_QK, windows_QK = index.search(
        means_QD, num_results=min(_NUM_WINDOWS, max(len(place_W), 1)), allowed_W=allowed_W
    )
    is_found = windows_QK >= 0
    places = place_W[windows_QK[is_found]]
    contents = timelines.content_of(places)
    starts = np.broadcast_to(starts_Q[:, None], windows_QK.shape)[is_found]
    # Windows of a query that point to the same place speak for it together.
    keys, inverse = np.unique(
        _keys(contents, places - timelines.first_C[contents] - starts), return_inverse=True
    )
    votes = np.bincount(inverse, weights=products_QK[is_found], minlength=len(keys))
    best = keys[np.argsort(-votes, kind="stable")[:_NUM_PLACES]]
    lengths = [len(rows_ND) for rows_ND in phases]
    return placed(
        timelines,
        best >> _OFFSET_BITS,
        (best & _OFFSET_MASK) - _OFFSET_MIDDLE,
        lengths=lengths,
        near=0 if max(lengths) <= SHORT_QUERY else 1,  # windows of long queries begin every two places
    )


def joined(several: Sequence[Placements]) -> Placements:
    """Each placement of several sets once, by content and offset."""
    keys = np.unique(np.concatenate([_keys(each.content_P, each.offset_P) for each in several]))
    return Placements(content_P=keys >> _OFFSET_BITS, offset_P=(keys & _OFFSET_MASK) - _OFFSET_MIDDLE)


def placement_scores(
    timelines: Timelines, sense: Sense, phases: Sequence[NDArray[np.float32]], placements: Placements
) -> NDArray[np.float32]:
    """Exact score of each phase of a query at each placement, float32 [K, P].

    It is -inf where too few moments are there on both sides, or where a phase is not inside its content (nor
    the content inside of it).

    Args:
        timelines: The library.
        sense: Its sense that is compared.
        phases: Rows [N, D] of each of K phases; absent ones are zero.
        placements: Where they are laid.
    """
    length, width = max(map(len, phases)), timelines.width
    query_KND = np.zeros((len(phases), length, width), np.float32)
    for rows_ND, query_ND in zip(phases, query_KND, strict=True):
        query_ND[: len(rows_ND)] = rows_ND
    has_row_NK = (query_KND != 0).any(axis=2).T.astype(np.float32)
    query_XK = query_KND.reshape(len(phases), -1).T
    sums_PK = np.zeros((len(placements), len(phases)), np.float32)
    counts_PK = np.zeros_like(sums_PK)
    size = max(1, _MOST_VALUES // (length * width))
    for start in range(0, len(placements), size):
        block = slice(start, start + size)
        rows_PX, is_there_PN = _rows_at(
            timelines, sense, placements.content_P[block], placements.offset_P[block], length
        )
        sums_PK[block] = rows_PX @ query_XK  # rows that are absent are zero
        counts_PK[block] = is_there_PN.astype(np.float32) @ has_row_NK
    return np.stack(
        [
            _means(timelines, placements, len(rows_ND), sums_PK[:, number], counts_PK[:, number])
            for number, rows_ND in enumerate(phases)
        ]
    )


def scanned_scores(
    timelines: Timelines, sense: Sense, phases: Sequence[NDArray[np.float32]], placements: Placements
) -> NDArray[np.float32]:
    """The same for `all_placements`, by one product over all grids: float32 [K, P].

    The numbers are those of `placement_scores` beyond rounding.
    """
    rows_GD, is_there_G = np.asarray(timelines.mapped(sense), np.float32), timelines.present(sense)
    return np.stack([_scanned(timelines, rows_ND, rows_GD, is_there_G, placements) for rows_ND in phases])


def _scanned(
    timelines: Timelines,
    query_ND: NDArray[np.float32],
    rows_GD: NDArray[np.float32],
    is_there_G: NDArray[np.bool_],
    placements: Placements,
) -> NDArray[np.float32]:
    if len(placements) == 0:
        return np.zeros(0, np.float32)
    has_row_N = (query_ND != 0).any(axis=1)
    cosines_NG = query_ND @ rows_GD.T  # zero where either side is absent
    length, count_P = len(query_ND), timelines.count_C[placements.content_P]
    start_P = timelines.first_C[placements.content_P] + placements.offset_P
    sums_P, counts_P = np.zeros(len(placements)), np.zeros(len(placements), np.int64)
    # Where the query lies inside, its diagonals are slices; elsewhere there are few places.
    is_inside_P = (placements.offset_P >= 0) & (placements.offset_P + length <= count_P)
    if is_inside_P.any():
        num_starts = timelines.num_places - length + 1
        sums_S, counts_S = np.zeros(num_starts), np.zeros(num_starts, np.int64)
        for moment in np.flatnonzero(has_row_N):
            sums_S += cosines_NG[moment, moment : moment + num_starts]
            counts_S += is_there_G[moment : moment + num_starts]
        sums_P[is_inside_P] = sums_S[start_P[is_inside_P]]
        counts_P[is_inside_P] = counts_S[start_P[is_inside_P]]
    if not is_inside_P.all():
        few = np.flatnonzero(~is_inside_P)
        for moment in np.flatnonzero(has_row_N):
            place = placements.offset_P[few] + moment
            at = np.where((place >= 0) & (place < count_P[few]), start_P[few] + moment, -1)
            sums_P[few] += np.where(at >= 0, cosines_NG[moment, at], 0.0)
            counts_P[few] += (at >= 0) & is_there_G[at]
    return _means(timelines, placements, length, sums_P, counts_P)


def _means(
    timelines: Timelines,
    placements: Placements,
    length: int,
    sums_P: NDArray[np.floating],
    counts_P: NDArray[Any],
) -> NDArray[np.float32]:
    """Mean cosines of a query of some length; -inf where it cannot lie, or too few moments are there."""
    count_P = timelines.count_C[placements.content_P]
    low, high = _room(count_P, [length])
    is_enough = counts_P >= np.maximum(1, np.ceil(_LEAST_PRESENT * np.minimum(length, count_P)))
    is_enough &= (placements.offset_P >= low) & (placements.offset_P <= high)
    return np.where(is_enough, sums_P / np.maximum(counts_P, 1), -np.inf).astype(np.float32)


def _room(count_P: NDArray[np.int64], lengths: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least and greatest offset of queries of some lengths: the shorter lies inside the longer."""
    return np.minimum(0, count_P - max(lengths)), np.maximum(0, count_P - min(lengths))


def _keys(content_P: NDArray[np.int64], offset_P: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each content and offset, ordered like them."""
    return (content_P << _OFFSET_BITS) + (offset_P + _OFFSET_MIDDLE)


def separate(
    timelines: Timelines, placements: Placements, scores_P: NDArray[np.float32], *, length: int, most: int
) -> NDArray[np.int64]:
    """The best placements, best first, without those that nearly repeat a better one.

    Args:
        timelines: The library.
        placements: Placements.
        scores_P: Their scores; -inf is never taken.
        length: Moments of the query.
        most: Number of placements at most.
    """
    order = np.argsort(-scores_P, kind="stable")
    order = order[np.isfinite(scores_P[order])]
    taken: list[int] = []
    offsets: dict[int, list[int]] = {}
    for number in order:
        content, offset = int(placements.content_P[number]), int(placements.offset_P[number])
        apart = max(1, min(length, int(timelines.count_C[content])) // 2)
        if all(abs(offset - other) > apart for other in offsets.get(content, ())):
            offsets.setdefault(content, []).append(offset)
            taken.append(int(number))
            if len(taken) == most:
                break
    return np.array(taken, np.int64)


def _rows_at(
    timelines: Timelines, sense: Sense, content_P: NDArray[np.int64], offset_P: NDArray[np.int64], length: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows of a content from an offset on, float32 [P, length * D]; which are there, bool [P, length]."""
    count_P = timelines.count_C[content_P]
    place_PN = offset_P[:, None] + np.arange(length)[None, :]
    is_inside_PN = (place_PN >= 0) & (place_PN < count_P[:, None])
    start_P = timelines.first_C[content_P] + offset_P
    # A span that reaches past the ends of all grids is read from within, and its rows are moved.
    span = min(length, timelines.num_places)
    read_P = np.clip(start_P, 0, timelines.num_places - span)
    rows_PND = timelines.spans(sense, read_P, span).astype(np.float32)
    if span < length or not np.array_equal(read_P, start_P):
        index_PN = np.clip(start_P[:, None] + np.arange(length)[None, :] - read_P[:, None], 0, span - 1)
        rows_PND = np.take_along_axis(rows_PND, index_PN[:, :, None], axis=1)
    if not is_inside_PN.all():
        rows_PND[~is_inside_PN] = 0
    places = np.clip(start_P[:, None] + np.arange(length)[None, :], 0, timelines.num_places - 1)
    return rows_PND.reshape(len(content_P), -1), is_inside_PN & timelines.present(sense)[places]

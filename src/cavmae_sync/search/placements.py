"""Placements: a query laid along a content at some place, and how well its moments then fit, exactly.

The score of a placement is the mean cosine of simultaneous moments, over those that both sides have: the
diagonal mean of `embedding.similarity`, shifted. The shorter of the two lies inside the longer one.

P placements, N moments of a query, G places of grids, D width.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.search.coarse import CoarseIndex
from cavmae_sync.search.timeline import Timelines
from cavmae_sync.search.windows import SHORT_QUERY, query_windows

#: Share of the moments of an overlap that both sides must have.
_LEAST_PRESENT: Final = 0.5
#: Windows that are asked for for each window of a query, and places worth a closer look for each axis.
_NUM_WINDOWS: Final = 1000
_NUM_PLACES: Final = 1000
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


def all_placements(timelines: Timelines, length: int, *, allowed_C: NDArray[np.bool_]) -> Placements:
    """Every placement of a query of some length in the contents that may be found."""
    numbers = np.flatnonzero(allowed_C & (timelines.count_C > 0))
    counts = timelines.count_C[numbers]
    low, high = np.minimum(0, counts - length), np.maximum(0, counts - length)
    each = high - low + 1
    content_P = np.repeat(numbers, each)
    starts = np.cumsum(each) - each
    offset_P = np.arange(int(each.sum())) - np.repeat(starts, each) + np.repeat(low, each)
    return Placements(content_P=content_P, offset_P=offset_P)


def likely_placements(
    timelines: Timelines,
    index: CoarseIndex,
    place_W: NDArray[np.int64],
    query_ND: NDArray[np.float32],
    *,
    allowed_W: NDArray[np.bool_] | None,
) -> Placements:
    """Placements worth scoring: those whose windows are most like windows of the query.

    Args:
        timelines: The library.
        index: Index over its windows.
        place_W: Place that each window begins at.
        query_ND: Rows of one sense of the query.
        allowed_W: Windows that may be found; None allows all.
    """
    means_QD, starts_Q = query_windows(query_ND)
    products_QK, windows_QK = index.search(
        means_QD, num_results=min(_NUM_WINDOWS, max(len(place_W), 1)), allowed_W=allowed_W
    )
    is_found = windows_QK >= 0
    windows = windows_QK[is_found]
    starts = np.broadcast_to(starts_Q[:, None], windows_QK.shape)[is_found]
    products = products_QK[is_found]
    places = place_W[windows]
    contents = timelines.content_of(places)
    offsets = places - timelines.first_C[contents] - starts
    # Windows of a query that point to the same place speak for it together.
    keys, inverse = np.unique(np.stack([contents, offsets]), axis=1, return_inverse=True)
    votes = np.bincount(inverse.ravel(), weights=products, minlength=keys.shape[1])
    chosen = np.argsort(-votes, kind="stable")[:_NUM_PLACES]
    near = np.arange(1) if len(query_ND) <= SHORT_QUERY else np.arange(-1, 2)  # windows begin every two
    content_P = np.repeat(keys[0][chosen], len(near))
    offset_P = (keys[1][chosen][:, None] + near[None, :]).ravel()
    counts = timelines.count_C[content_P]
    low, high = np.minimum(0, counts - len(query_ND)), np.maximum(0, counts - len(query_ND))
    pairs = np.unique(np.stack([content_P, np.clip(offset_P, low, high)]), axis=1)
    return Placements(content_P=pairs[0], offset_P=pairs[1])


def joined(several: list[Placements]) -> Placements:
    """Each placement of several sets once, by content and offset."""
    pairs = [np.stack([each.content_P, each.offset_P]) for each in several]
    both = np.unique(np.concatenate(pairs, axis=1), axis=1)
    return Placements(content_P=both[0], offset_P=both[1])


def placement_scores(
    timelines: Timelines, sense: Sense, query_ND: NDArray[np.float32], placements: Placements
) -> NDArray[np.float32]:
    """Exact score of each placement, float32 [P]; -inf where too few moments are there on both sides.

    Args:
        timelines: The library.
        sense: Its sense that is compared.
        query_ND: Rows of the query; absent ones are zero.
        placements: Where it is laid.
    """
    length, width = query_ND.shape
    scores_P = np.full(len(placements), -np.inf, np.float32)
    size = max(1, _MOST_VALUES // (length * width))
    has_row_N = (query_ND != 0).any(axis=1)
    for start in range(0, len(placements), size):
        block = slice(start, start + size)
        cosines_PN, is_both_PN, overlap_P = _cosines(
            timelines, sense, query_ND, has_row_N, placements.content_P[block], placements.offset_P[block]
        )
        sums_P = np.where(is_both_PN, cosines_PN, 0).sum(axis=1)
        scores_P[block] = _means(sums_P, is_both_PN.sum(axis=1), overlap_P)
    return scores_P


def scanned_scores(
    timelines: Timelines, sense: Sense, query_ND: NDArray[np.float32], placements: Placements
) -> NDArray[np.float32]:
    """The same for `all_placements`, by one product over all grids: float32 [P].

    The numbers are those of `placement_scores` beyond rounding.
    """
    if len(placements) == 0:
        return np.zeros(0, np.float32)
    rows_GD = np.asarray(timelines.mapped(sense), np.float32)
    has_row_N = (query_ND != 0).any(axis=1)
    is_there_G = (rows_GD != 0).any(axis=1)
    cosines_NG = query_ND @ rows_GD.T  # zero where either side is absent
    length, count_P = len(query_ND), timelines.count_C[placements.content_P]
    start_P = timelines.first_C[placements.content_P] + placements.offset_P
    sums_P, counts_P = np.zeros(len(placements)), np.zeros(len(placements), np.int64)
    # Where the query lies inside, its diagonals are slices; where it is the longer one, there are few places.
    is_inside_P = count_P >= length
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
    return _means(sums_P, counts_P, np.minimum(length, count_P))


def _means(
    sums_P: NDArray[np.floating], counts_P: NDArray[np.int64], overlap_P: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mean cosines; -inf where too few moments of the overlap are there on both sides."""
    is_enough = counts_P >= np.maximum(1, np.ceil(_LEAST_PRESENT * overlap_P))
    return np.where(is_enough, sums_P / np.maximum(counts_P, 1), -np.inf).astype(np.float32)


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


def _cosines(
    timelines: Timelines,
    sense: Sense,
    query_ND: NDArray[np.float32],
    has_row_N: NDArray[np.bool_],
    content_P: NDArray[np.int64],
    offset_P: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Cosines of simultaneous moments [P, N], which of them both have, and places of the overlap [P]."""
    length = len(query_ND)
    count_P = timelines.count_C[content_P]
    start_P = timelines.first_C[content_P] + offset_P
    # A span that reaches past the ends of all grids is read from within, and its rows are moved.
    span = min(length, timelines.num_places)
    read_P = np.clip(start_P, 0, timelines.num_places - span)
    rows_PSD = timelines.spans(sense, read_P, span).astype(np.float32)
    place_PN = offset_P[:, None] + np.arange(length)[None, :]
    is_inside_PN = (place_PN >= 0) & (place_PN < count_P[:, None])
    index_PN = np.clip(start_P[:, None] + np.arange(length)[None, :] - read_P[:, None], 0, span - 1)
    rows_PND = np.take_along_axis(rows_PSD, index_PN[:, :, None], axis=1)
    is_there_PN = (rows_PND != 0).any(axis=2)
    cosines_PN = np.einsum("pnd,nd->pn", rows_PND, query_ND, optimize=True)
    return cosines_PN, is_inside_PN & is_there_PN & has_row_N[None, :], np.minimum(length, count_P)

"""Search for codes of the same picture or sound: all pairs are compared, by matrix products.

Two codes are compared over the span that they have in common, while one is shifted by some windows. Their
similarity is (places that agree - places that disagree) / sqrt(places of one * places of the other), where
only places with a sign count: 1 for equal codes, about 0 for different ones, -1 for opposite ones. If no
place is zero, it is 1 - 2 * Hamming distance / length.

Letters: W windows, D signs of a window, A B clips of two groups, N clips.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Clips that are compared with a group in one product: bounds memory, does not change the result.
_BLOCK: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchRule:
    """Rule by which two codes match.

    Attributes:
        least_likeness: Least similarity of codes of the same clip.
        least_places: Least number of signs in the compared span; codes with fewer match nothing.
        least_windows: Shortest span that is compared, in windows.
        most_moved: Largest shift, in windows: by how much later one clip may begin.
    """

    least_likeness: float
    least_places: int
    least_windows: int
    most_moved: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Match:
    """Two codes that match.

    Attributes:
        first: Number of the first code in its list.
        second: Number of the second code; larger than `first` if both are in one list.
        likeness: Similarity, at most 1.
    """

    first: int
    second: int
    likeness: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Codes of equal length."""

    rows: NDArray[np.int64]
    codes_NWD: NDArray[np.float32]
    sums_NW: NDArray[np.int64]  # signs before each window

    @property
    def num_windows(self) -> int:
        return self.codes_NWD.shape[1]


def matches(
    codes: Sequence[NDArray[np.int8]], rule: MatchRule, *, others: Sequence[NDArray[np.int8]] | None = None
) -> list[Match]:
    """Pairs of codes that match, by number.

    On one core, 6,000 clips of 10 s took 25 s for sounds and 2 s for pictures, in 0.5 GB. Time grows with the
    square of the number of clips: 20,000 take about 5 minutes.

    Args:
        codes: Codes, int8 [W, D]; W may differ.
        rule: Rule by which codes match.
        others: Codes to compare with; None = compare `codes` with each other.
    """
    groups = _grouped(codes)
    best: dict[tuple[int, int], float] = {}
    for number, group in enumerate(groups):
        for other in groups[number:] if others is None else _grouped(others):
            for first, second, likeness in _compare(group, other, rule):
                pair = (first, second) if others is not None or first < second else (second, first)
                if others is None and first == second:
                    continue
                best[pair] = max(likeness, best.get(pair, -1.0))
    return sorted(Match(first=i, second=j, likeness=likeness) for (i, j), likeness in best.items())


def _grouped(codes: Sequence[NDArray[np.int8]]) -> list[_Group]:
    rows: dict[int, list[int]] = defaultdict(list)
    for row, code in enumerate(codes):
        rows[len(code)].append(row)
    return [_group(codes, rows[length]) for length in sorted(rows) if length]


def _group(codes: Sequence[NDArray[np.int8]], rows: list[int]) -> _Group:
    stacked = np.stack([codes[row] for row in rows])
    sums = np.cumsum(np.abs(stacked).sum(axis=2, dtype=np.int64), axis=1)
    return _Group(
        rows=np.array(rows), codes_NWD=stacked.astype(np.float32), sums_NW=np.pad(sums, ((0, 0), (1, 0)))
    )


def _compare(one: _Group, other: _Group, rule: MatchRule) -> Iterator[tuple[int, int, float]]:
    for moved in range(-rule.most_moved, rule.most_moved + 1):
        begin_a, begin_b = max(moved, 0), max(-moved, 0)
        length = min(one.num_windows - begin_a, other.num_windows - begin_b)
        if length < rule.least_windows:
            continue
        places_A = one.sums_NW[:, begin_a + length] - one.sums_NW[:, begin_a]
        places_B = other.sums_NW[:, begin_b + length] - other.sums_NW[:, begin_b]
        b_of = np.flatnonzero(places_B >= rule.least_places)
        b_BX = _unit(other.codes_NWD[b_of, begin_b : begin_b + length], places_B[b_of])
        usable = np.flatnonzero(places_A >= rule.least_places)
        for start in range(0, len(usable), _BLOCK):
            a_of = usable[start : start + _BLOCK]
            a_AX = _unit(one.codes_NWD[a_of, begin_a : begin_a + length], places_A[a_of])
            likeness_AB = a_AX @ b_BX.T
            for a, b in np.argwhere(likeness_AB >= rule.least_likeness):
                yield int(one.rows[a_of[a]]), int(other.rows[b_of[b]]), float(likeness_AB[a, b])


def _unit(codes_NWD: NDArray[np.float32], places_N: NDArray[np.int64]) -> NDArray[np.float32]:
    """Codes as unit vectors, one per clip."""
    num_clips, num_windows, num_signs = codes_NWD.shape
    vectors_NX = codes_NWD.reshape(num_clips, num_windows * num_signs)
    return vectors_NX / np.sqrt(places_N)[:, None].astype(np.float32)

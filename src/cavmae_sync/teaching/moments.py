"""Moments of a library that can be marked: its timelines in pieces of about two seconds.

A moment is a few neighbouring places of a content's grid. Its feature is the mean of the unit vectors there,
as a linear head takes the mean over time: so a probe says the same here and in `classify`. Places that are
absent for a sense are left out; a moment without any is *not usable*.

N moments, G places of all grids, C contents, D width of a feature.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.search import Filter
from cavmae_sync.search.contents import HeldContents
from cavmae_sync.search.timeline import Timelines

#: Moments that are looked at at a time: bounds memory, never changes a result.
_BLOCK_MOMENTS: Final = 1 << 11
#: The same for products, in numbers.
_SCORED_NUMBERS: Final = 1 << 21
#: How far a time may be from a place, in steps, and still count as at it.
_AT: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of a content.

    Attributes:
        content: SHA-256 of the file.
        start_seconds: Its start in the file.
        stop_seconds: Its end.
    """

    content: str
    start_seconds: float
    stop_seconds: float


class Moments:
    """Moments of everything that a library holds.

    Args:
        timelines: Vectors of the library.
        held: What files hold now; moments of other contents are not usable.
        config: How the library was cut.
        senses: Senses that a moment must have, in the order of a feature's parts.
        seconds: Length of a moment, rounded to whole steps.
    """

    def __init__(
        self,
        timelines: Timelines,
        held: HeldContents,
        config: LibraryConfig,
        *,
        senses: Sequence[Sense],
        seconds: float,
    ) -> None:
        self.timelines, self.held, self.senses = timelines, held, tuple(senses)
        step = timelines.step_seconds
        self.num_places = max(1, round(seconds / step))
        #: From the beginning of what a place stands for to its time.
        self.lead_seconds = 0.0 if config.rule == "uniform_start" else step / 2
        count_C = timelines.count_C
        # A rest that is shorter than half a moment belongs to the one before it.
        each_C = np.where(
            count_C > 0, np.maximum(1, (2 * count_C + self.num_places) // (2 * self.num_places)), 0
        )
        self.content_N = np.repeat(np.arange(len(each_C)), each_C)
        self._first_C = np.cumsum(each_C) - each_C
        self.number_N = np.arange(len(self.content_N)) - np.repeat(self._first_C, each_C)
        self.first_N = timelines.first_C[self.content_N] + self.number_N * self.num_places
        self.place_stop_N = np.append(self.first_N[1:], timelines.num_places)

    def __len__(self) -> int:
        """Number of moments, those that are not usable too."""
        return len(self.content_N)

    @property
    def width(self) -> int:
        """D: width of the library for each sense."""
        return self.timelines.width * len(self.senses)

    @cached_property
    def is_usable_G(self) -> NDArray[np.bool_]:  # noqa: N802
        """Places of contents that are held, with all senses."""
        allowed_C = self.held.allowed(self.timelines.contents, Filter())
        usable_G = np.repeat(allowed_C, self.timelines.count_C)
        for sense in self.senses:
            usable_G = usable_G & self.timelines.present(sense)
        return usable_G

    @cached_property
    def count_N(self) -> NDArray[np.int64]:  # noqa: N802
        """Usable places of each moment."""
        if not len(self):
            return np.zeros(0, np.int64)
        return np.add.reduceat(self.is_usable_G.astype(np.int64), self.first_N)

    @property
    def is_usable_N(self) -> NDArray[np.bool_]:  # noqa: N802
        """Moments with a feature."""
        return self.count_N > 0

    def logits(self, weights_D: NDArray[np.floating], bias: float) -> NDArray[np.float32]:
        """Logit of a linear head for each moment, -inf where it is not usable: one product over all rows."""
        if not len(self):
            return np.zeros(0, np.float32)
        sum_G = np.zeros(self.timelines.num_places, np.float32)
        step = max(1, _SCORED_NUMBERS // self.timelines.width)
        parts = np.split(np.asarray(weights_D, np.float32), len(self.senses))
        for part_D, sense in zip(parts, self.senses, strict=True):
            rows_GD, weights = self.timelines.mapped(sense), torch.from_numpy(part_D)
            for start in range(0, len(rows_GD), step):
                block_GD = np.array(rows_GD[start : start + step])
                # numpy takes three times as long to make float32 of float16.
                sum_G[start : start + step] += (torch.from_numpy(block_GD).float() @ weights).numpy()
        sum_N = np.add.reduceat(np.where(self.is_usable_G, sum_G, 0.0), self.first_N, dtype=np.float64)
        mean_N = sum_N / np.maximum(self.count_N, 1) + bias
        return np.where(self.is_usable_N, mean_N, -np.inf).astype(np.float32)

    def span(self, number: int) -> Span:
        """Where a moment is."""
        timelines, content = self.timelines, int(self.content_N[number])
        first, stop = self._room(number)
        is_last = stop == int(timelines.count_C[content])
        end = float(timelines.stop_seconds_C[content])
        begin = timelines.seconds_of(content, first) - self.lead_seconds
        finish = timelines.seconds_of(content, stop) - self.lead_seconds
        return Span(
            content=timelines.contents[content],
            start_seconds=max(begin, 0.0),
            stop_seconds=max(end, finish) if is_last else finish,
        )

    def places(self, span: Span) -> NDArray[np.int64]:
        """Usable places whose time is in a span, or the nearest one; none where the library lacks it."""
        content = self.timelines.number.get(span.content)
        if content is None or span.content not in self.held:
            return np.zeros(0, np.int64)
        count = int(self.timelines.count_C[content])
        low, high = self._edges(content, span)
        low = min(max(low, 0), max(count - 1, 0))
        high = min(max(high, low + 1), count)
        place_P = int(self.timelines.first_C[content]) + np.arange(low, high)
        return place_P[self.is_usable_G[place_P]]

    def feature(self, span: Span) -> NDArray[np.float64] | None:
        """Mean of the vectors in a span, [D]; None where there are none."""
        place_P = self.places(span)
        if not len(place_P):
            return None
        parts = [np.asarray(self.timelines.mapped(sense)[place_P], np.float64) for sense in self.senses]
        return np.concatenate(parts, axis=1).mean(axis=0)

    def features(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Features of usable moments, [n, D]."""
        found_nD = np.zeros((len(numbers), self.width))
        for start in range(0, len(numbers), _BLOCK_MOMENTS):
            some = numbers[start : start + _BLOCK_MOMENTS]
            count_n = self.place_stop_N[some] - self.first_N[some]
            start_n = np.cumsum(count_n) - count_n
            place_P = np.arange(int(count_n.sum())) + np.repeat(self.first_N[some] - start_n, count_n)
            parts = [np.asarray(self.timelines.mapped(sense)[place_P], np.float64) for sense in self.senses]
            rows_PD = np.concatenate(parts, axis=1) * self.is_usable_G[place_P, None]
            found_nD[start : start + len(some)] = np.add.reduceat(rows_PD, start_n)
        return found_nD / np.maximum(self.count_N[numbers], 1)[:, None]

    def touched(self, span: Span) -> NDArray[np.int64]:
        """Numbers of the moments of which a span covers at least half."""
        content = self.timelines.number.get(span.content)
        count = 0 if content is None else int(self.timelines.count_C[content])
        if content is None or count == 0:
            return np.zeros(0, np.int64)
        low, high = self._edges(content, span)
        low, high = max(low, 0), min(max(high, low + 1), count)
        first = int(self._first_C[content])
        near = range(max(low // self.num_places - 1, 0), high // self.num_places + 1)
        found = []
        for number in (first + each for each in near):
            if number < len(self) and int(self.content_N[number]) == content:
                begin, stop = self._room(number)
                if 2 * (min(high, stop) - max(low, begin)) >= stop - begin:
                    found.append(number)
        return np.array(found, np.int64)

    def draws(self, salt: str) -> NDArray[np.float64]:
        """A number in [0, 1) for each moment that depends on its content, its place and a salt alone.

        Moments keep their numbers while a library grows and a probe changes: whatever the moments that the
        probe calls present, those of them with the lowest numbers are a random sample.
        """
        seeds = [_seed(f"{salt}/{content}") for content in self.timelines.contents]
        return _mixed(np.array(seeds, np.uint64)[self.content_N], self.number_N)

    def _room(self, number: int) -> tuple[int, int]:
        """First place of a moment in its content, and the one behind its last."""
        first = int(self.timelines.first_C[self.content_N[number]])
        return int(self.first_N[number]) - first, int(self.place_stop_N[number]) - first

    def _edges(self, content: int, span: Span) -> tuple[int, int]:
        """Place of the first time in a span, and the one behind the last, beyond the grid too."""
        step, first = self.timelines.step_seconds, float(self.timelines.start_seconds_C[content])
        longest = 2.0**31
        low, high = (
            min(max((seconds - first) / step, -longest), longest)
            for seconds in (span.start_seconds, span.stop_seconds)
        )
        return int(np.ceil(low - _AT)), int(np.ceil(high - _AT))


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _mixed(seed_N: NDArray[np.uint64], number_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) from a seed and a count: the generator SplitMix64, at any place of its sequence.

    Source:
        Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 17.
    """
    with np.errstate(over="ignore"):
        z = seed_N + (number_N.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53

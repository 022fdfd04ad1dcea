"""Population: every moment of a library with what the probe says of it, and what is known of it by marks.

The moments that the probe calls present are divided: *known* ones, which a mark that was learned from covers,
and the rest, from which checks are drawn in the order of fixed random numbers (`Moments.draws`). The probe
does not depend on these numbers, nor on the answers to checks. So the checks up to the first gap are a random
sample of the rest, whatever the probe is, also where some of them were made for an earlier probe.

One thing is not exact: a moment that is checked already is not proposed as uncertain, so that what is learned
from depends on the numbers by that much. `benchmarks.teaching` measures that the interval holds all the same.

N moments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.teaching.marks import Mark
from cavmae_sync.teaching.moments import Moments

#: Codes of what is known of a moment.
_NOTHING, _NO, _YES, _UNSURE = -1, 0, 1, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """Moments with the probe's logits, and marks.

    Attributes:
        logit_N: Logit of each moment; -inf where it is not usable.
        learned_N: What marks that are learned from say of each moment: -1 nothing, 0 no, 1 yes, 2 unsure.
        checked_N: What checks say, in the same codes.
        draw_N: Random number of each moment.
        threshold_logit: Logit from which on the probe calls a moment present.
    """

    logit_N: NDArray[np.float32]
    learned_N: NDArray[np.int8]
    checked_N: NDArray[np.int8]
    draw_N: NDArray[np.float64]
    threshold_logit: float = 0.0

    @classmethod
    def of(
        cls,
        moments: Moments,
        logit_N: NDArray[np.float32],
        marks: Sequence[Mark],
        *,
        draw_N: NDArray[np.float64],
    ) -> "Population":
        """Population of a library.

        Args:
            moments: The library.
            logit_N: What the probe says.
            marks: Marks that hold.
            draw_N: Random number of each moment.
        """
        learned_N = np.full(len(moments), _NOTHING, np.int8)
        checked_N = np.full(len(moments), _NOTHING, np.int8)
        for mark in marks:
            code = _UNSURE if mark.is_match is None else _YES if mark.is_match else _NO
            target = checked_N if mark.reason == "check" else learned_N
            target[moments.touched(mark.span)] = code
        return cls(logit_N=logit_N, learned_N=learned_N, checked_N=checked_N, draw_N=draw_N)

    @cached_property
    def is_open_N(self) -> NDArray[np.bool_]:  # noqa: N802
        """Moments that nobody has marked, with a feature."""
        return np.isfinite(self.logit_N) & (self.learned_N == _NOTHING) & (self.checked_N == _NOTHING)

    def is_present_N(self, threshold_logit: float | None = None) -> NDArray[np.bool_]:  # noqa: N802
        """Moments that the probe calls present."""
        return self.logit_N >= (self.threshold_logit if threshold_logit is None else threshold_logit)

    def rest(self, threshold_logit: float | None = None) -> NDArray[np.int64]:
        """Numbers of those called present that no learned mark covers, in the order of their draws."""
        numbers = np.flatnonzero(self.is_present_N(threshold_logit) & (self.learned_N == _NOTHING))
        return numbers[np.argsort(self.draw_N[numbers], kind="stable")]

    def checked(self, threshold_logit: float | None = None) -> tuple[NDArray[np.int8], int]:
        """Answers to the checks up to the first gap, a random sample of the rest; and its size."""
        rest = self.rest(threshold_logit)
        answers = self.checked_N[rest]
        gaps = np.flatnonzero(answers == _NOTHING)
        return answers[: int(gaps[0])] if len(gaps) else answers, len(rest)

    def unchecked(self) -> NDArray[np.int64]:
        """Moments to check next: gaps first."""
        rest = self.rest()
        return rest[self.checked_N[rest] == _NOTHING]

    def num_known(self, threshold_logit: float | None = None) -> int:
        """Moments called present that a learned mark says yes to."""
        return int((self.is_present_N(threshold_logit) & (self.learned_N == _YES)).sum())

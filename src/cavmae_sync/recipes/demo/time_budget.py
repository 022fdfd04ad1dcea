"""How a demo keeps its promise of minutes.

Nothing is promised by a guess. Clips are made until their part of the time is over. Training is planned anew
whenever the machine turns out slower or faster than the plan was made for: the learning rate then falls from
where it is to its end in the steps that still fit. Each plan becomes a piece of the schedule in the run's
`config.json`, and pieces change nothing before they begin, so that file always tells how to repeat the run.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pydantic import Field

from cavmae_sync.atomic import write_text
from cavmae_sync.config import Config
from cavmae_sync.recipes.tables.datasets import StageSplit
from cavmae_sync.training import LearningRateRamp, PretrainConfig, StepReport

#: The least a demo trains, even where that takes longer.
MIN_STEPS: Final = 20
#: How often a demo measures losses while it trains.
NUM_VALIDATIONS: Final = 6
#: Part of the steps with rising learning rate, and the least of them: the first plan may be far too short.
_WARMUP_SHARE: Final = 0.1
_MIN_WARMUP: Final = 10
#: The pace is that of this part of the minutes, the newest, and of no fewer steps: what was busy for a moment
#: only should change little, and what stays slow should be seen in time.
_PACE_SHARE: Final = 0.1
_FEWEST: Final = 8
#: A plan that is off by less is kept: part of the steps left, and steps.
_TOLERANCE: Final = 0.1
_TOLERANCE_STEPS: Final = 4
#: What a test clip costs, in pairs that could be trained on: its loss in a validation (until one was timed),
#: and its vectors by the trained and the untrained model at the end. As measured, and a little more.
_PAIRS_PER_VALIDATED_CLIP: Final = 0.5
_PAIRS_PER_MEASURED_CLIP: Final = 12.0
#: What drawing the page costs, in steps.
_STEPS_OF_DRAWING: Final = 8
#: Part of the minutes that is not planned for.
_MARGIN: Final = 0.02
#: Seconds of a demo that a kill may lose from its count.
_KEEP_EVERY_SECONDS: Final = 2.0


class Spent(Config):
    """What a demo has spent and decided so far; stored as `plan.json`."""

    seconds: float = Field(0.0, ge=0)
    """Time spent, over all starts."""
    num_clips: dict[StageSplit, int] = Field(default_factory=dict)
    """Generated clips by list, as far as decided: as many as there was time for."""


class DemoClock:
    """The time of a demo over all its starts, and how many clips it was found to suffice for.

    Args:
        path: File that keeps it.
        minutes: What was promised.
        began: When this start began, by `now`.
        now: Where the time comes from.
    """

    def __init__(
        self,
        path: Path,
        *,
        minutes: float,
        began: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self.promised_seconds, self.now = path, minutes * 60, now
        self._spent = Spent.model_validate_json(path.read_text("utf-8")) if path.exists() else Spent()
        self._began, self._kept = now() if began is None else began, now()

    def seconds_left(self) -> float:
        """Seconds until the promised time is over; below 0 when it is."""
        return self.promised_seconds * (1 - _MARGIN) - self._seconds()

    def timer(self, *, share: float) -> Callable[[], bool]:
        """A question whether a share of the promised time is over, counted from now."""
        until = self.seconds_left() - self.promised_seconds * share
        return lambda: self.seconds_left() < until

    def keep(self) -> None:
        """Write down the time spent, if that was not done just now."""
        if self.now() - self._kept > _KEEP_EVERY_SECONDS:
            self._write(self._spent)

    def num_clips(self, split: StageSplit) -> int | None:
        """What was decided; None where nothing was."""
        return self._spent.num_clips.get(split)

    def decide(self, split: StageSplit, num_clips: int) -> None:
        """Write down how many clips a list has."""
        self._write(self._spent.model_copy(update={"num_clips": self._spent.num_clips | {split: num_clips}}))

    def _seconds(self) -> float:
        return self._spent.seconds + self.now() - self._began

    def _write(self, spent: Spent) -> None:
        self._spent = spent.model_copy(update={"seconds": self._seconds()})
        self._began = self._kept = self.now()
        write_text(self._path, self._spent.model_dump_json(indent=2) + "\n")


class TrainingPlan:
    """Watches the pace of a run and says when another number of steps fits its time.

    Args:
        clock: Of the demo.
        batch_size: Pairs of a step.
        num_test_clips: Clips measured with, in validations and at the end.
    """

    def __init__(self, clock: DemoClock, *, batch_size: int, num_test_clips: int) -> None:
        self._clock = clock
        self._steps_per_pass = num_test_clips / batch_size
        self._validation_seconds: float | None = None
        self._gaps: list[float] = []
        self._num_steps, self._validate_every, self._validations_left = 0, 0, NUM_VALIDATIONS
        self._step, self._at, self._seen = 0, 0.0, 0

    def follow(self, config: PretrainConfig) -> None:
        """Judge the plan of a run from now on."""
        if config.loop.num_steps is None or config.loop.validate_every_steps is None:
            raise ValueError("A run that is planned by time counts in steps; this one counts in epochs.")
        self._num_steps, self._validate_every = config.loop.num_steps, config.loop.validate_every_steps
        self._seen = 0  # the next gap holds a start, and a new plan deserves steps of its own

    def try_pace(self, seconds_of_steps: Iterable[float]) -> int:
        """The length that fits by the pace of some steps that were made to try it."""
        self._gaps.extend(seconds_of_steps)
        return self.fitting_steps()

    def note(self, report: StepReport) -> None:
        """A step was made. The one after a validation takes longer by that."""
        gap, is_after_validation = self._clock.now() - self._at, self._step % self._validate_every == 0
        if self._seen and not is_after_validation:
            self._gaps.append(gap)
        elif self._seen and self._gaps:
            self._validation_seconds = max(gap - self._pace(), 0.0)
        self._step, self._at, self._seen = report.step, self._clock.now(), self._seen + 1
        self._validations_left = 1 + (self._num_steps - self._step) // self._validate_every

    def fitting_steps(self) -> int:
        """The length of the whole run that fits, by the newest pace."""
        pace = self._pace()
        validation = self._validation_seconds
        if validation is None:
            validation = pace * self._steps_per_pass * _PAIRS_PER_VALIDATED_CLIP
        closing = pace * (self._steps_per_pass * _PAIRS_PER_MEASURED_CLIP + _STEPS_OF_DRAWING)
        seconds = self._clock.seconds_left() - closing - self._validations_left * validation
        fitting = int(seconds / pace)
        return max(self._step + fitting, self._step + 1, MIN_STEPS)

    def _pace(self) -> float:
        """Seconds of a step, by the newest but the slowest of them: one slow step is no slow machine."""
        newest: list[float] = []
        for gap in reversed(self._gaps):
            if len(newest) >= _FEWEST and sum(newest) + gap > _PACE_SHARE * self._clock.promised_seconds:
                break
            newest.append(gap)
        return statistics.fmean(sorted(newest)[:-1] or newest)

    def is_off(self) -> bool:
        """Whether the plan no longer fits. Asked after each step; a new plan is given some steps first."""
        left = self._num_steps - self._step
        if self._seen <= _FEWEST or len(self._gaps) < _FEWEST or left <= 0:
            return False
        return abs(self.fitting_steps() - self._num_steps) > max(_TOLERANCE * left, _TOLERANCE_STEPS)

    def renewed(self, config: PretrainConfig) -> PretrainConfig:
        """The configuration of a run with the length that fits, from the step that was noted last."""
        return planned(config, num_steps=self.fitting_steps(), step=self._step)


def planned(config: PretrainConfig, *, num_steps: int, step: int = 0) -> PretrainConfig:
    """A configuration whose learning rate falls to its end in `num_steps`.

    Args:
        config: Of a run that has made `step` steps.
        num_steps: Its length from now on.
        step: Steps made; what was planned for them stays as it is, and so do they.
    """
    made = [piece for piece in config.optim.pieces if piece.after_step < step]
    if not made:
        rising = max(round(_WARMUP_SHARE * num_steps), _MIN_WARMUP)
        made = [LearningRateRamp(after_step=0, until_step=rising, factor=1)]
    is_rising = len(made) == 1 and step < made[0].until_step < num_steps
    falls_after = made[0].until_step if is_rising else step
    fall = LearningRateRamp(after_step=falls_after, until_step=num_steps, factor=config.optim.final_fraction)
    optim = config.optim.model_copy(update={"schedule": "pieces", "pieces": (*made, fall)})
    loop = config.loop.model_copy(update={"num_steps": num_steps})
    return PretrainConfig.model_validate(dict(config) | {"optim": optim, "loop": loop})

"""Time budget of a demo: how the promised minutes are kept on any machine.

Nothing is guessed. Clips are made until their part of the time is over. Training is planned again whenever
the machine turns out slower or faster than planned: the learning rate then falls from its present value to
its end in the steps that still fit. Each plan becomes a piece of the schedule in the run's `config.json`. A
piece changes nothing before it begins, so this file always tells how to repeat the run.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pydantic import Field

from cavmae_sync.atomic import write_text
from cavmae_sync.config import Config
from cavmae_sync.recipes.generated_clips import StageSplit
from cavmae_sync.training import LearningRateRamp, PretrainConfig, StepReport

#: Least steps of training, even if they take longer.
MIN_STEPS: Final = 20
#: Number of validations during training.
NUM_VALIDATIONS: Final = 6
#: Share of the steps with rising learning rate, and their least number: the first plan may be far too short.
_WARMUP_SHARE: Final = 0.1
_MIN_WARMUP: Final = 10
#: The time of a step is averaged over the newest steps: over this share of the minutes, and at least so many
#: steps. A short disturbance should change little, and a lasting one should be noticed in time.
_NEWEST_SHARE: Final = 0.1
_FEWEST: Final = 8
#: A plan is kept while it is off by less than this share of the steps left, or by fewer steps than this.
_TOLERANCE: Final = 0.1
_TOLERANCE_STEPS: Final = 4
#: Cost of a test clip in training pairs: for its loss in a validation (until a validation was timed), and for
#: its vectors by the trained and the untrained model at the end. Measured values, rounded up.
_PAIRS_PER_VALIDATED_CLIP: Final = 0.5
_PAIRS_PER_MEASURED_CLIP: Final = 12.0
#: Cost of drawing the page and of rules without a model, in steps.
_STEPS_OF_DRAWING: Final = 24
#: Share of the minutes that is kept in reserve.
_MARGIN: Final = 0.02
#: Most seconds that a kill may lose from the count of time spent.
_KEEP_EVERY_SECONDS: Final = 2.0


class Spent(Config):
    """Time spent and decisions made so far; stored as `plan.json`."""

    seconds: float = Field(0.0, ge=0)
    """Time spent, over all starts."""
    num_clips: dict[StageSplit, int] = Field(default_factory=dict)
    """Generated clips of each list, once decided: as many as there was time for."""


class DemoClock:
    """Clock of a demo over all its starts, and the numbers of clips that were decided.

    Args:
        path: File that stores the time spent.
        minutes: Promised minutes.
        began: Time at which this start began, by `now`.
        now: Source of the time.
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
        """Seconds until the promised time is over; negative after that."""
        return self.promised_seconds * (1 - _MARGIN) - self._seconds()

    def timer(self, *, share: float) -> Callable[[], bool]:
        """Function that tells whether a share of the promised time, counted from now, is over."""
        until = self.seconds_left() - self.promised_seconds * share
        return lambda: self.seconds_left() < until

    def keep(self) -> None:
        """Store the time spent, unless that was done a moment ago."""
        if self.now() - self._kept > _KEEP_EVERY_SECONDS:
            self._write(self._spent)

    def num_clips(self, split: StageSplit) -> int | None:
        """Number of clips that was decided for a list, or None."""
        return self._spent.num_clips.get(split)

    def decide(self, split: StageSplit, num_clips: int) -> None:
        """Store how many clips a list has."""
        self._write(self._spent.model_copy(update={"num_clips": self._spent.num_clips | {split: num_clips}}))

    def _seconds(self) -> float:
        return self._spent.seconds + self.now() - self._began

    def _write(self, spent: Spent) -> None:
        self._spent = spent.model_copy(update={"seconds": self._seconds()})
        self._began = self._kept = self.now()
        write_text(self._path, self._spent.model_dump_json(indent=2) + "\n")


class TrainingPlan:
    """Plan of the training: watches the time of steps and decides how many steps fit.

    Args:
        clock: Clock of the demo.
        batch_size: Pairs per step.
        num_test_clips: Clips to measure with, in validations and at the end.
    """

    def __init__(self, clock: DemoClock, *, batch_size: int, num_test_clips: int) -> None:
        self._clock = clock
        self._steps_per_pass = num_test_clips / batch_size
        self._validation_seconds: float | None = None
        self._gaps: list[float] = []
        self._num_steps, self._validate_every, self._validations_left = 0, 0, NUM_VALIDATIONS
        self._step, self._at, self._seen = 0, 0.0, 0

    def follow(self, config: PretrainConfig) -> None:
        """Follow a run with this configuration from now on."""
        if config.loop.num_steps is None or config.loop.validate_every_steps is None:
            raise ValueError("A run that is planned by time counts in steps; this one counts in epochs.")
        self._num_steps, self._validate_every = config.loop.num_steps, config.loop.validate_every_steps
        self._seen = 0  # the next step includes a start, and a new plan needs steps of its own

    def fitting_steps_of_trial(self, seconds_of_steps: Iterable[float]) -> int:
        """Length of a run that fits, from the time of trial steps."""
        self._gaps.extend(seconds_of_steps)
        return self.fitting_steps()

    def note(self, report: StepReport) -> None:
        """Note a step. The step after a validation includes the time of that validation."""
        gap, is_after_validation = self._clock.now() - self._at, self._step % self._validate_every == 0
        if self._seen and not is_after_validation:
            self._gaps.append(gap)
        elif self._seen and self._gaps:
            self._validation_seconds = max(gap - self._step_seconds(), 0.0)
        self._step, self._at, self._seen = report.step, self._clock.now(), self._seen + 1
        self._validations_left = 1 + (self._num_steps - self._step) // self._validate_every

    def fitting_steps(self) -> int:
        """Length of the whole run that fits, by the newest step times."""
        step_seconds = self._step_seconds()
        validation = self._validation_seconds
        if validation is None:
            validation = step_seconds * self._steps_per_pass * _PAIRS_PER_VALIDATED_CLIP
        closing = step_seconds * (self._steps_per_pass * _PAIRS_PER_MEASURED_CLIP + _STEPS_OF_DRAWING)
        seconds = self._clock.seconds_left() - closing - self._validations_left * validation
        fitting = int(seconds / step_seconds)
        return max(self._step + fitting, self._step + 1, MIN_STEPS)

    def _step_seconds(self) -> float:
        """Seconds of a step: mean of the newest ones without the slowest, which may be a disturbance."""
        newest: list[float] = []
        for gap in reversed(self._gaps):
            if len(newest) >= _FEWEST and sum(newest) + gap > _NEWEST_SHARE * self._clock.promised_seconds:
                break
            newest.append(gap)
        return statistics.fmean(sorted(newest)[:-1] or newest)

    def is_off(self) -> bool:
        """Whether the plan no longer fits. A new plan gets some steps before it is judged."""
        left = self._num_steps - self._step
        if self._seen <= _FEWEST or len(self._gaps) < _FEWEST or left <= 0:
            return False
        return abs(self.fitting_steps() - self._num_steps) > max(_TOLERANCE * left, _TOLERANCE_STEPS)

    def renewed(self, config: PretrainConfig) -> PretrainConfig:
        """Configuration of the run with the length that fits, from the newest step on."""
        return planned(config, num_steps=self.fitting_steps(), step=self._step)


def planned(config: PretrainConfig, *, num_steps: int, step: int = 0) -> PretrainConfig:
    """Configuration whose learning rate falls to its end in `num_steps`.

    Args:
        config: Configuration of a run that has made `step` steps.
        num_steps: New length of the run.
        step: Steps made; the schedule up to here does not change, so these steps can be repeated.
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

"""A demo keeps its minutes: plans follow the time of steps, and steps that were made stay as planned."""

import random
from pathlib import Path

import pytest

from cavmae_sync.recipes.demo.config import DemoConfig, demo_pretraining
from cavmae_sync.recipes.demo.time_budget import MIN_STEPS, DemoClock, TrainingPlan, planned
from cavmae_sync.training import PretrainConfig, StepReport, learning_rate_at


class Time:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def recipe(num_steps: int) -> PretrainConfig:
    return planned(demo_pretraining(DemoConfig(), num_steps=num_steps, batch_size=64), num_steps=num_steps)


def rates(config: PretrainConfig, num_steps: int) -> list[float]:
    return [
        learning_rate_at(step, config=config.optim, num_steps=config.loop.num_steps, steps_per_epoch=1)
        for step in range(num_steps)
    ]


def train(config: PretrainConfig, plan: TrainingPlan, time: Time, pace) -> list[PretrainConfig]:
    """Steps that take `pace(step)` seconds, to the end; a validation takes as long as three of them."""
    made, step = [config], 0
    plan.follow(config)
    while step < config.loop.num_steps:
        time.seconds += pace(step) * (4 if step and step % config.loop.validate_every_steps == 0 else 1)
        step += 1
        plan.note(report(step, config))
        if plan.is_off():
            config = plan.renewed(config)
            plan.follow(config)
            made.append(config)
    return made


def report(step: int, config: PretrainConfig) -> StepReport:
    facts = {"epoch": 0, "total_loss": 1.0, "clips_per_second": 1.0, "waiting_fraction": 0.0}
    return StepReport(step=step, num_steps=config.loop.num_steps, **facts)


class TestLearningRate:
    def test_it_rises_for_a_tenth_and_falls_to_a_fiftieth(self):
        config = recipe(200)
        assert rates(config, 200)[19] == config.optim.learning_rate
        assert rates(config, 200)[199] == pytest.approx(config.optim.learning_rate / 50)
        assert rates(config, 200)[109] == pytest.approx(config.optim.learning_rate * 0.51)

    def test_another_plan_changes_nothing_of_the_steps_that_were_made(self):
        """Bit for bit, whenever it is made and however often: else a run could not be repeated."""
        draw = random.Random(0)
        for _ in range(20):
            config, step = recipe(draw.randint(20, 400)), 0
            made: list[float] = []
            while step < config.loop.num_steps and len(made) < 500:
                stop = min(step + draw.randint(1, 60), config.loop.num_steps)
                made += rates(config, stop)[step:stop]
                step = stop
                config = planned(config, num_steps=step + draw.randint(1, 300), step=step)
                assert rates(config, step) == made
                assert config.loop.num_steps > step

    def test_it_ends_at_a_fiftieth_in_the_new_number_of_steps(self):
        config = planned(recipe(200), num_steps=120, step=100)
        assert rates(config, 120)[119] == pytest.approx(config.optim.learning_rate / 50)


class TestPlan:
    """10 minutes, 80 test clips: vectors of 80 clips and the page cost 15 and 24 steps."""

    @pytest.fixture
    def time(self) -> Time:
        return Time()

    @pytest.fixture
    def plan(self, tmp_path: Path, time: Time) -> TrainingPlan:
        clock = DemoClock(tmp_path / "plan.json", minutes=10, now=time)
        return TrainingPlan(clock, batch_size=64, num_test_clips=80)

    def seconds_over(self, time: Time, closing_pace: float) -> float:
        return time.seconds - 100 + closing_pace * 39 - 600

    def test_the_first_plan_fits_the_pace_of_the_trial(self, plan: TrainingPlan):
        """588 s of a second each, less 39 steps for the end and six validations of 80 / 64 / 2 steps.

        The slowest of the trial is left out.
        """
        assert plan.fitting_steps_of_trial([1.0, 1.0, 5.0, 1.0]) == 588 - 39 - 4

    def test_at_an_even_speed_it_is_kept_except_for_slower_validations(self, plan, time):
        made = train(recipe(plan.fitting_steps_of_trial([1.0] * 4)), plan, time, lambda _: 1.0)
        assert len(made) <= 2
        assert abs(self.seconds_over(time, 1.0)) < 20

    @pytest.mark.parametrize("factor", [0.3, 3.0, 10.0])
    def test_it_follows_a_machine_that_becomes_slower_or_faster(self, plan, time, factor: float):
        def pace(step: int) -> float:
            return 1.0 if step < 100 else factor

        made = train(recipe(plan.fitting_steps_of_trial([1.0] * 4)), plan, time, pace)
        assert len(made) > 1
        assert -30 < self.seconds_over(time, factor) < 30

    def test_one_slow_step_costs_its_own_time_and_no_more(self, plan, time):
        first = recipe(plan.fitting_steps_of_trial([1.0] * 4))
        made = train(first, plan, time, lambda step: 15.0 if step == 50 else 1.0)
        assert first.loop.num_steps - 40 < made[-1].loop.num_steps < first.loop.num_steps

    def test_it_trains_a_little_even_where_there_is_no_time(self, plan, time):
        time.seconds += 10_000
        assert plan.fitting_steps_of_trial([1.0] * 4) == MIN_STEPS


def test_the_time_of_all_starts_counts_together(tmp_path: Path):
    time, path = Time(), tmp_path / "plan.json"
    clock = DemoClock(path, minutes=10, now=time)
    time.seconds += 100
    clock.decide("train", 240)
    time.seconds += 50
    clock.keep()
    time.seconds += 1
    clock.keep()  # so soon after the last time it writes nothing
    time.seconds += 5000  # killed, and started again much later
    again = DemoClock(path, minutes=10, now=time, began=time.seconds - 3)
    assert again.seconds_left() == pytest.approx(588 - 150 - 3)
    assert (again.num_clips("train"), again.num_clips("test")) == (240, None)

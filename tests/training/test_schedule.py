"""The learning rate at every step (spec 3.2, 7.13)."""

import pytest

from cavmae_sync.training import LearningRateRamp, OptimConfig, learning_rate_at


def rate(step: int, *, num_steps: int = 1000, steps_per_epoch: int = 40, **changes) -> float:
    return learning_rate_at(
        step, config=OptimConfig(**changes), num_steps=num_steps, steps_per_epoch=steps_per_epoch
    )


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 2.0e-6),
        (99, 2.0e-4),
        (100, 2.0e-4),
        (325, 1.73640e-4),
        (550, 1.1e-4),
        (775, 4.63604e-5),
        (1000, 2.0e-5),
        (1001, 2.0e-5),
    ],
)
def test_the_published_examples(step: int, expected: float):
    assert rate(step) == pytest.approx(expected, rel=1e-5)


def test_a_warm_up_that_is_no_whole_number_exceeds_the_peak_a_little():
    assert rate(8612, num_steps=86_125) == pytest.approx(2.000116e-4, rel=1e-6)


@pytest.mark.parametrize(
    ("epochs", "divisor"), [((1, 10), 1), ((11, 15), 2), ((16, 20), 4), ((21, 25), 8)], ids=str
)
def test_multistep_halves_at_the_published_epochs(epochs: tuple[int, int], divisor: int):
    first, last = (epochs[0] - 1) * 40, epochs[1] * 40 - 1
    for step in (first, last):
        found = rate(step, schedule="multistep", learning_rate=5e-5)
        assert found == pytest.approx(5e-5 / divisor)


def test_constant_stays_at_the_peak_after_warm_up():
    rates = [rate(step, schedule="constant") for step in (0, 49, 100, 999)]
    assert rates == pytest.approx([2e-6, 1e-4, 2e-4, 2e-4])


def test_without_warm_up_the_first_step_is_the_peak():
    assert rate(0, warmup_fraction=0) == 2e-4


#: Rises to the peak in 4 updates, then falls to 0.2 of it at update 12.
PIECES = (
    LearningRateRamp(after_step=0, until_step=4, factor=1),
    LearningRateRamp(after_step=4, until_step=12, factor=0.2),
)


def pieces_rates(pieces: tuple[LearningRateRamp, ...], steps: range) -> list[float]:
    return [rate(step, schedule="pieces", learning_rate=1.0, pieces=pieces) for step in steps]


def test_pieces_are_straight_lines_that_begin_where_the_last_ended():
    assert pieces_rates(PIECES, range(14)) == pytest.approx(
        [0.25, 0.5, 0.75, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2]
    )


def test_a_piece_that_begins_early_goes_on_from_the_rate_there():
    """After update 8 the rate is 0.6; the new piece brings it to 0.2 in two updates instead of four."""
    shortened = (*PIECES, LearningRateRamp(after_step=8, until_step=10, factor=0.2))
    assert pieces_rates(shortened, range(8, 10)) == pytest.approx([0.4, 0.2])
    assert pieces_rates(shortened, range(8)) == pieces_rates(PIECES, range(8)), "not a bit changes before it"

"""The estimate: what it rests on, that it holds, and when it says nothing."""

import numpy as np
import pytest

from cavmae_sync.teaching.estimate import THRESHOLDS, estimate_of, threshold_for
from cavmae_sync.teaching.population import Population

NOTHING, NO, YES, UNSURE = -1, 0, 1, 2


def population(
    logit: list[float],
    *,
    learned: dict[int, int] | None = None,
    checked: dict[int, int] | None = None,
    draw=None,
) -> Population:
    learned_N, checked_N = (np.full(len(logit), NOTHING, np.int8) for _ in range(2))
    for codes_N, said in ((learned_N, learned or {}), (checked_N, checked or {})):
        for number, code in said.items():
            codes_N[number] = code
    return Population(
        logit_N=np.array(logit, np.float32),
        learned_N=learned_N,
        checked_N=checked_N,
        draw_N=np.arange(len(logit)) / len(logit) if draw is None else np.array(draw),
    )


def test_checks_up_to_the_first_gap_count():
    """Draws are in the order of the numbers; 3 is below the line, 1 is learned, 5 was not looked at."""
    found = population(
        [1, 1, 1, -1, 1, 1, 1, 1], learned={1: YES}, checked={0: YES, 2: NO, 3: YES, 4: UNSURE, 6: YES}
    )
    answers, num_rest = found.checked()
    assert (answers.tolist(), num_rest) == ([YES, NO, UNSURE], 6)
    assert found.unchecked().tolist() == [5, 7]
    assert found.num_known() == 1
    assert np.flatnonzero(found.is_open_N).tolist() == [5, 7]


def test_a_number_is_not_stated_before_there_are_checks():
    nothing = estimate_of(population([-1.0] * 30))
    assert (nothing.precision, nothing.num_found, nothing.more_checks) == (None, None, 0)
    assert "calls no moment present" in nothing.reason
    few = estimate_of(population([1.0] * 30, checked=dict.fromkeys(range(9), YES)))
    assert (few.precision, few.more_checks, few.num_checks) == (None, 1, 9)
    assert "9 of 10 checks are made" in few.reason
    enough = estimate_of(population([1.0] * 30, checked=dict.fromkeys(range(10), YES), learned={29: YES}))
    assert enough.precision is not None
    assert (enough.num_present, enough.num_known, enough.num_rest) == (30, 1, 29)
    assert enough.num_found is not None
    assert enough.num_found.high == 30
    tiny = estimate_of(population([1.0] * 3, checked=dict.fromkeys(range(3), NO)))  # all that there is
    assert tiny.precision is not None
    assert (tiny.precision.low, tiny.precision.high) == (0, 0)


def test_more_checks_make_it_narrow():
    wide = population([1.0] * 500, checked={n: YES if n % 5 else NO for n in range(20)})
    found = estimate_of(wide)
    assert found.more_checks > 20
    narrow = population([1.0] * 500, checked={n: YES if n % 5 else NO for n in range(20 + found.more_checks)})
    assert estimate_of(narrow).precision.width == pytest.approx(0.2, abs=0.02)


def test_a_threshold_is_offered_where_its_precision_is_known():
    """Above 0.8 all are right, below half of them."""
    logit = [0.5, 2.5] * 60
    checked = {n: YES if logit[n] > 1 or n % 4 == 0 else NO for n in range(60)}
    found = threshold_for(population(logit, checked=checked), 0.9)
    assert found is not None
    assert found.threshold == 0.7  # 0.62 is the probability of 0.5
    assert found.precision.value == 1
    assert found.precision.low < estimate_of(population(logit, checked=checked), threshold=0.7).precision.low
    assert threshold_for(population(logit, checked=checked), 0.5).threshold == THRESHOLDS[0]
    assert threshold_for(population(logit), 0.5) is None


def test_it_holds_although_the_probe_learns_between_the_checks():
    """A rule that is fitted anew after each few marks, as the proposals have it; 120 libraries.

    The rule looks at a noisy value, and its line moves with the marks that it learns from. Checks made for
    earlier lines are kept. The interval must hold the truth of the last line 95 times of 100.
    """
    held = total = reused = 0
    for seed in range(120):
        generator = np.random.default_rng(seed)
        size = 400
        is_match_N = generator.random(size) < 0.3
        value_N = is_match_N * 1.2 + generator.normal(size=size)
        draw_N = generator.random(size)
        learned_N, checked_N = (np.full(size, NOTHING, np.int8) for _ in range(2))
        line, made = 0.0, 0
        for _ in range(6):
            now = Population(
                logit_N=(value_N - line).astype(np.float32),
                learned_N=learned_N,
                checked_N=checked_N,
                draw_N=draw_N,
            )
            for number in now.unchecked()[:6]:
                checked_N[number], made = is_match_N[number], made + 1
            uncertain = np.argsort(np.where(now.is_open_N, np.abs(now.logit_N), np.inf))[:10]
            learned_N[uncertain] = is_match_N[uncertain]
            known = np.flatnonzero(learned_N != NOTHING)
            yes, no = known[learned_N[known] == YES], known[learned_N[known] == NO]
            if len(yes) and len(no):
                line = (value_N[yes].mean() + value_N[no].mean()) / 2
        final = Population(
            logit_N=(value_N - line).astype(np.float32),
            learned_N=learned_N,
            checked_N=checked_N,
            draw_N=draw_N,
        )
        found = estimate_of(final)
        if found.precision is None:
            continue
        truth = is_match_N[final.rest()].mean()
        total += 1
        reused += found.num_checks
        held += found.precision.low - 1e-9 <= truth <= found.precision.high + 1e-9
    assert total > 90
    assert reused / total > 10
    assert held / total > 0.95 - 2 * (0.05 * 0.95 / total) ** 0.5

"""The rules on times give the frames that the rules on frame numbers give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.media import sample_times


def frames_on_screen(times_T: np.ndarray, *, frames_per_second: float) -> list[int]:
    return [int(np.floor((t + 1e-3) * frames_per_second)) for t in times_T]


def times(
    rule: str, *, num_source: int, frames_per_second: float, num_frames: int, seconds: float | None = None
):
    """Times for a video of constant rate, of which the first `seconds` are used."""
    whole = num_source / frames_per_second
    duration = whole if seconds is None else min(seconds, whole)
    last = min(num_source, int(np.ceil(duration * frames_per_second - 1e-6))) - 1
    return sample_times(
        rule,
        num_frames=num_frames,
        duration_seconds=duration,
        last_frame_seconds=last / frames_per_second,
        frame_period_seconds=1 / frames_per_second,
    )


def test_uniform_left_of_ten_seconds_is_every_five_eighths():
    taken = times("uniform_left", num_source=250, frames_per_second=25, num_frames=16)
    np.testing.assert_allclose(taken, np.arange(16) * 0.625)


def test_linspace_inclusive_has_first_and_last_frame():
    taken = times("linspace_inclusive", num_source=250, frames_per_second=25, num_frames=16)
    assert taken[0] == 0.0
    assert taken[-1] == pytest.approx(249 / 25)


def test_uniform_center_is_the_middle_of_each_bin():
    taken = times("uniform_center", num_source=100, frames_per_second=25, num_frames=4)
    np.testing.assert_allclose(taken, [0.5, 1.5, 2.5, 3.5])


@given(
    rate=st.sampled_from([8.0, 12.5, 24000 / 1001, 25.0, 30000 / 1001, 30.0, 60.0]),
    num_source=st.integers(17, 400),
    num_frames=st.integers(1, 16),
)
def test_equal_the_index_rules_at_constant_rate(rate: float, num_source: int, num_frames: int):
    """The originals: int(i N / K) with N = min(count, int(rate x 10)), and int(linspace(0, count - 1, K))."""
    num_used = min(num_source, int(rate * 10))
    by_index = [i * num_used // num_frames for i in range(num_frames)]
    taken = times(
        "uniform_left", num_source=num_source, frames_per_second=rate, num_frames=num_frames, seconds=10
    )
    assert frames_on_screen(taken, frames_per_second=rate) == by_index

    by_index = [i * (num_source - 1) // max(num_frames - 1, 1) for i in range(num_frames)]
    taken = times("linspace_inclusive", num_source=num_source, frames_per_second=rate, num_frames=num_frames)
    assert frames_on_screen(taken, frames_per_second=rate) == by_index


def test_one_frame_is_taken_every_time():
    taken = sample_times(
        "linspace_inclusive",
        num_frames=3,
        duration_seconds=2.0,
        last_frame_seconds=0.0,
        frame_period_seconds=2.0,
    )
    assert taken.tolist() == [0.0, 0.0, 0.0]


def test_refuses_what_is_not_positive():
    with pytest.raises(ValueError, match=r"got 0, 1\.0 and 0\.1"):
        sample_times(
            "uniform_left",
            num_frames=0,
            duration_seconds=1.0,
            last_frame_seconds=0.9,
            frame_period_seconds=0.1,
        )


def test_refuses_an_unknown_rule():
    with pytest.raises(ValueError, match="got 'random'"):
        times("random", num_source=10, frames_per_second=10, num_frames=2)

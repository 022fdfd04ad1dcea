"""Lag of frames behind their segments, by hand and against the segments themselves."""

import numpy as np
import pytest
import torch

from cavmae_sync.inputs import InputConfig, cut_segments
from cavmae_sync.inputs.config import Alignment
from cavmae_sync.inputs.lag import AlignmentLag, alignment_lag
from cavmae_sync.media import sample_times
from cavmae_sync.media.sampling import SamplingRule


def lag_of(
    alignment: Alignment, length: int, *, sampling: SamplingRule = "linspace_inclusive"
) -> AlignmentLag:
    """Lag in ten seconds at 25 frames a second."""
    times_T = sample_times(
        sampling, num_frames=16, duration_seconds=10, last_frame_seconds=9.96, frame_period_seconds=0.04
    )
    config = InputConfig(segment_length=length, alignment=alignment)
    return alignment_lag(frame_seconds=times_T, num_spectrogram_frames=998, config=config)


def test_the_published_rule_by_hand():
    """Frame 8 lies at 8/15 of 9.96 s; its rows are 464 to 560, the sound from 4.64 to 5.615 s."""
    lag = lag_of("padded", 96)
    assert lag.window_seconds == pytest.approx(0.975)
    assert lag.lag_seconds_T[8] == pytest.approx(9.96 * 8 / 15 - (4.64 + 5.615) / 2)
    assert lag.lag_seconds_T[[0, 15]] == pytest.approx([-0.4875, 9.96 - (9.12 + 10.095) / 2])


def test_what_each_rule_misses():
    """Smallest and largest lag, frames outside of their segment, segments that differ."""
    expected = {
        ("padded", 96): (-0.49, 0.35, 0, 16),
        ("valid", 96): (-0.49, 0.59, 3, 16),
        ("centered", 96): (0, 0, 0, 16),
        ("padded", 416): (-2.09, 1.79, 1, 11),
        ("valid", 416): (-2.09, 2.05, 1, 11),
        ("centered", 416): (0, 0, 0, 16),
    }
    for (rule, length), (least, most, num_outside, num_different) in expected.items():
        lag = lag_of(rule, length)
        found = (lag.lag_seconds_T.min(), lag.lag_seconds_T.max())
        assert found == pytest.approx((least, most), abs=0.006), (rule, length)
        assert (int(lag.is_outside_T.sum()), lag.num_different) == (num_outside, num_different), (
            rule,
            length,
        )


def test_frames_in_the_middle_of_equal_parts_halve_the_lag_of_the_published_rule():
    """They do not end it: windows at the ends are still moved, and 16 frames are spread over 10.24 s."""
    lag = lag_of("padded", 96, sampling="uniform_center")
    assert (lag.lag_seconds_T.min(), lag.lag_seconds_T.max()) == pytest.approx((-0.175, 0.295), abs=0.006)


@pytest.mark.parametrize("rule", ["padded", "valid", "centered"])
@pytest.mark.parametrize("num_rows", [30, 300, 998])
def test_segments_that_differ_are_counted_as_they_are(rule: Alignment, num_rows: int):
    """Against the segments of a sound of which no two rows are equal."""
    times_T = np.linspace(0, num_rows / 100, 16)
    config = InputConfig(segment_length=416, alignment=rule)
    lag = alignment_lag(frame_seconds=times_T, num_spectrogram_frames=num_rows, config=config)
    rows_NM = torch.arange(1.0, num_rows + 1)[:, None].expand(-1, 128)
    segments = cut_segments(rows_NM, frame_seconds=times_T, config=config)
    assert lag.num_different == len(segments.unique(dim=0))


def test_the_numbers_in_words():
    assert lag_of("valid", 96).to_text() == (
        "frames lie -0.49 to +0.59 s from the middle of their 0.97 s of sound, 3 of 16 outside of it; "
        "16 of 16 segments differ"
    )

"""A clip refuses to be built from what is not a clip."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from cavmae_sync.media import Clip

GOOD: dict[str, Any] = {
    "frames_THWC": np.zeros((2, 4, 6, 3), np.uint8),
    "frame_seconds_T": np.array([0.0, 0.5]),
    "waveform_S": np.zeros(16_000, np.float32),
    "duration_seconds": 1.0,
}


def test_a_good_clip():
    clip = Clip(**GOOD)
    assert (clip.sample_rate_hz, clip.start_seconds) == (16_000, 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        clip.start_seconds = 1.0


def test_bad_clips_are_refused():
    for change, message in [
        ({"frames_THWC": np.zeros((2, 4, 6, 3), np.float32)}, "dtype uint8, got .* float32"),
        ({"frames_THWC": np.zeros((4, 6, 3), np.uint8)}, r"4 axes .* shape \(4, 6, 3\)"),
        ({"frames_THWC": np.zeros((2, 4, 6, 1), np.uint8)}, "must be RGB, got 1 channels"),
        ({"frame_seconds_T": np.array([0.0])}, "got 2 frames and 1 times"),
        ({"frame_seconds_T": np.array([0.5, 0.0])}, "not decreasing"),
        ({"frame_seconds_T": np.array([-0.5, 0.0])}, "not negative"),
        ({"frame_seconds_T": np.array([0.0, np.nan])}, "finite"),
        ({"waveform_S": np.zeros(16_000)}, "dtype float32, got .* float64"),
        ({"waveform_S": np.full(16_000, 1.01, np.float32)}, r"in \[-1, 1\]"),
        ({"waveform_S": np.full(16_000, np.nan, np.float32)}, r"in \[-1, 1\]"),
        ({"sample_rate_hz": 0}, "must be positive, got 0 and 1.0"),
        ({"duration_seconds": 0.0}, "must be positive, got 16000 and 0.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            Clip(**{**GOOD, **change})

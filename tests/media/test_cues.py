"""Cues of picture and sound, on frames and sounds whose values are known."""

import numpy as np
import pytest

from cavmae_sync.media.cues import picture_cues, sound_cues


def test_a_white_square_that_moves_by_one_pixel() -> None:
    # A black frame of 4 x 4 with one white pixel, in column 0, then 1, then 1.
    frames_THWC = np.zeros((3, 4, 4, 3), np.uint8)
    for frame, column in enumerate((0, 1, 1)):
        frames_THWC[frame, 3, column] = 255
    cues = picture_cues(frames_THWC)
    assert cues["brightness"] == pytest.approx([255 / 16] * 3)
    assert cues["warmth"] == pytest.approx([0.0] * 3)
    assert cues["brightness_from_left"] == pytest.approx([0.125, 0.375, 0.375])
    assert cues["brightness_from_top"] == pytest.approx([0.875] * 3)
    # Two pixels of 16 change in the first step, none in the second.
    assert cues["motion"] == pytest.approx([2 * 255 / 16, 255 / 16, 0.0])
    assert cues["motion_from_left"] == pytest.approx([0.25, 0.25, 0.5])
    assert cues["motion_from_top"] == pytest.approx([0.875, 0.875, 0.5])


def test_mean_colour_has_two_cues_beside_brightness() -> None:
    colours_C = np.array([[[[200, 80, 40]]]], np.uint8)
    cues = picture_cues(colours_C)
    assert (cues["warmth"][0], cues["greenness"][0]) == (160.0, -40.0)
    assert cues["motion"] == 0.0  # a single frame does not move


def test_sound_cues_read_the_energy_around_each_time() -> None:
    log_mel_FM = np.full((100, 8), -10.0)
    log_mel_FM[40:60, 2] = 3.0  # 0.4 to 0.6 s, in one band
    cues = sound_cues(log_mel_FM, np.array([0.1, 0.5125, 0.9]))
    quiet, loud, after = cues["loudness"]
    assert quiet == after == pytest.approx(np.log(8) - 10.0)
    assert loud == pytest.approx(3.0, abs=1e-4)
    np.testing.assert_allclose(cues["amplitude"], np.exp(cues["loudness"] / 2))
    assert cues["pitch"] == pytest.approx([0.5, 2 / 7, 0.5], abs=1e-4)


def test_times_near_the_ends_and_very_short_sounds_have_cues_too() -> None:
    cues = sound_cues(np.zeros((5, 8)), np.array([-1.0, 0.0, 9.0]))
    assert cues["loudness"] == pytest.approx([np.log(8)] * 3)

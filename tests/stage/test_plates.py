"""What shows that an object sounds is the same for all objects, and changes no mean."""

import numpy as np
import pytest

from cavmae_sync.stage.plates import motion
from cavmae_sync.stage.scene import Rhythm
from cavmae_sync.stage.sprites import PlateSprites


def thing(side):
    """A square object of a colour."""
    rgba = np.full((side, side, 4), 255, np.uint8)
    rgba[..., :3] = (200, 30, 90)
    return PlateSprites(rgba, frame_pixels=96)


def turned(sprites):
    """What changes when an object begins to sound."""
    looks = [sprites.at(0.0, 1, is_sounding=sounds).colour_HWC.astype(int) for sounds in (True, False)]
    return looks[0] - looks[1]


def test_a_large_object_shows_that_it_sounds_by_the_same_pixels_as_a_small_one():
    """Otherwise how much is turned would tell how large the object is, which is heard as its pitch."""
    small, large = turned(thing(24)), turned(thing(38))
    assert np.abs(small - large).sum() < 0.01 * np.abs(small).sum()  # rounding at the inner edge of the rim


@pytest.mark.parametrize("lean", [-1, 1])
def test_a_plate_has_the_same_mean_colour_whatever_it_shows(lean):
    sprites = thing(28)
    looks = [sprites.at(c, lean, is_sounding=s).colour_HWC for c in (0.0, 0.3, 0.7) for s in (True, False)]
    means = np.stack([look.mean(axis=(0, 1)) for look in looks])
    assert np.ptp(means, axis=0).max() < 0.1


def test_frames_of_a_plate_differ_as_much_near_in_time_as_far():
    cycles_T, lean_T = motion(Rhythm(phase=0.2, seed=3), 4000)
    assert set(np.abs(np.diff(cycles_T)).round(9)) == {0.25}
    wave_T = np.exp(2j * np.pi * cycles_T)
    for lag in (1, 2, 5, 8):
        assert abs(np.mean(wave_T[lag:] * wave_T[:-lag].conj())) < 0.1
        assert abs(np.mean(lean_T[lag:] * lean_T[:-lag])) < 0.1

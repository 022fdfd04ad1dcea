"""Playback of a whole file: every frame once at its own rate, in step with its sound."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.errors import NoAudioStreamError, NoVideoStreamError, UnreadableFileError
from cavmae_sync.media import read_clip
from cavmae_sync.media.playback import playback

from .conftest import read_numbers
from .test_video_frames import every_frame


def test_every_frame_once(film: Callable[..., Path]):
    for rate in (8, 12.5, Fraction(24000, 1001), Fraction(30000, 1001), 60):
        video = playback(film(2.0, frames_per_second=rate))
        assert float(video.frames_per_second) == pytest.approx(float(rate), rel=1e-6)
        assert read_numbers(np.stack(list(video.frames()))) == list(range(round(2 * rate)))


@pytest.mark.long
def test_every_frame_of_files_of_constant_rate(odd: Callable[[str], Path], subtests: pytest.Subtests):
    """Rounded times (18, 53), offsets (20, 28), an edit list (54)."""
    for number in ("00", "16", "18", "20", "28", "53", "54"):
        with subtests.test(number):
            times_N, pixels_NHWC = every_frame(odd(number))
            shown = list(playback(odd(number)).frames())
            begun_NHWC = pixels_NHWC[times_N >= -1e-3]
            assert abs(len(shown) - len(begun_NHWC)) <= 1
            for place in (0, len(shown) // 2, len(shown) - 2):
                np.testing.assert_array_equal(shown[place], begun_NHWC[place])


def test_a_variable_rate_shows_what_is_on_screen(odd: Callable[[str], Path]):
    video = playback(odd("08"))
    times_N, pixels_NHWC = every_frame(odd("08"))
    assert video.frames_per_second == Fraction(30000, 1001)  # of its quickest frames; the mean is 12.3
    step = 1 / video.frames_per_second
    for number, frame_HWC in enumerate(video.frames()):
        shown = np.flatnonzero(times_N <= video.seconds_of(number) + float(step / 4) + 1e-3)[-1]
        np.testing.assert_array_equal(frame_HWC, pixels_NHWC[shown])


def test_turned_upright(odd: Callable[[str], Path]):
    assert next(playback(odd("09")).frames()).shape == (480, 360, 3)


def test_begins_with_the_video_and_is_as_long(odd: Callable[[str], Path]):
    late = playback(odd("28"))
    assert (late.start_seconds, late.num_frames) == (pytest.approx(1.5), 90)
    assert len(playback(odd("30")).sound()) == pytest.approx(3.003 * 16000, abs=1)  # its sound lasts 7 s


def test_the_sound_is_that_of_the_clip(odd: Callable[[str], Path]):
    for number in ("00", "27", "28", "29"):
        video, clip = playback(odd(number)), read_clip(odd(number))
        assert clip.start_seconds == video.start_seconds
        np.testing.assert_array_equal(video.sound()[: len(clip.waveform_S)], clip.waveform_S)


def test_two_frames_and_one_frame(odd: Callable[[str], Path]):
    for number, num_frames in [("05", 2), ("06", 1)]:
        assert len(list(playback(odd(number)).frames())) == num_frames


def test_needs_video_and_sound(odd: Callable[[str], Path]):
    for number, error in [("01", NoAudioStreamError), ("02", NoVideoStreamError), ("34", NoVideoStreamError)]:
        with pytest.raises(error):
            playback(odd(number))


def test_no_file(tmp_path: Path):
    with pytest.raises(UnreadableFileError, match="does not exist"):
        playback(tmp_path / "none.mp4")

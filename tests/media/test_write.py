"""Written files are read back: frames, sound, and above all their synchrony."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.media import read_audio, read_clip, write_video

from .conftest import lag_samples, noise, numbered_frames, read_numbers


@pytest.mark.parametrize(("rate", "at_seconds"), [(12, 1.0), (25, 2.5), (Fraction(30000, 1001), 2.5)])
def test_a_flash_and_its_beep_stay_together(tmp_path: Path, rate: float, at_seconds: float):
    """A white frame and a beep that begin with the same frame come back at the same time."""
    path = tmp_path / "flash.mp4"
    flash = round(at_seconds * rate)
    frames = np.zeros((round(4 * rate), 64, 64, 3), np.uint8)
    frames[flash] = 255
    first = round(flash / rate * 16_000)
    waveform_S = np.zeros(64_000, np.float32)
    waveform_S[first : first + 1600] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(1600) / 16_000)
    write_video(path, frames, frames_per_second=rate, waveform_S=waveform_S)

    with av.open(str(path)) as container:
        bright = [frame.time for frame in container.decode(video=0) if frame.to_ndarray().mean() > 150]
    clip = read_clip(path)
    assert bright[0] == pytest.approx(flash / rate, abs=1e-3)
    assert abs(lag_samples(clip.waveform_S, waveform_S)) <= 2  # 125 microseconds
    loud = np.flatnonzero(np.abs(clip.waveform_S) > 0.25)[0] / 16_000
    assert loud == pytest.approx(bright[0], abs=0.01)


def test_every_frame_comes_back_in_order(tmp_path: Path):
    path = tmp_path / "film.mp4"
    write_video(path, numbered_frames(75), frames_per_second=25, waveform_S=noise(3.0))
    clip = read_clip(path, num_frames=75, sampling="uniform_left")
    assert read_numbers(clip.frames_THWC) == list(range(75))
    assert (clip.start_seconds, clip.duration_seconds) == (0.0, 3.0)


def test_the_sound_has_its_length_and_level(tmp_path: Path):
    path = tmp_path / "film.mp4"
    t = np.arange(48_000) / 16_000
    waveform_S = (0.4 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    write_video(path, numbered_frames(75), frames_per_second=25, waveform_S=waveform_S)
    back_S = read_clip(path).waveform_S
    assert back_S.size == 48_000
    np.testing.assert_allclose(back_S[2000:-2000], waveform_S[2000:-2000], atol=0.02)


def test_sound_shorter_and_longer_than_the_video(tmp_path: Path):
    for seconds in (1.0, 5.0):
        path = tmp_path / "film.mp4"
        write_video(path, numbered_frames(75), frames_per_second=25, waveform_S=noise(seconds))
        assert read_clip(path).duration_seconds == 3.0
        assert read_audio(path).size / 16_000 == pytest.approx(seconds, abs=0.07)  # padded to 1024 samples


def test_another_sample_rate(tmp_path: Path):
    path = tmp_path / "film.mp4"
    waveform_S = noise(3.0, rate_hz=44_100)
    write_video(path, numbered_frames(75), frames_per_second=25, waveform_S=waveform_S, sample_rate_hz=44_100)
    assert read_clip(path).waveform_S.size == 48_000


def test_frames_may_come_one_by_one(tmp_path: Path):
    path = tmp_path / "film.mp4"
    write_video(path, iter(numbered_frames(50)), frames_per_second=25, waveform_S=noise(2.0))
    assert read_clip(path).duration_seconds == 2.0


def test_browsers_can_play_it(tmp_path: Path):
    path = tmp_path / "film.mp4"
    write_video(path, numbered_frames(50), frames_per_second=25, waveform_S=noise(2.0))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # begins to play before all of it has come
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 16_000, 1)
        assert (container.start_time, video.start_time, audio.start_time) == (0, 0, 0)


def test_equal_input_gives_equal_bytes(tmp_path: Path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, numbered_frames(20), frames_per_second=10, waveform_S=noise(2.0))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "film.mp4"
    write_video(path, numbered_frames(20), frames_per_second=10, waveform_S=noise(2.0))
    before = path.read_bytes()

    def breaks_off() -> Iterator[np.ndarray]:
        yield from numbered_frames(10)
        raise RuntimeError("no more frames")

    with pytest.raises(RuntimeError, match="no more frames"):
        write_video(path, breaks_off(), frames_per_second=10, waveform_S=noise(2.0))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.mp4"]


def test_bad_arguments_are_refused_and_leave_no_file(tmp_path: Path):
    for frames, waveform, message in [
        (np.zeros((0, 32, 32, 3), np.uint8), noise(1.0), "one frame at least"),
        (
            np.zeros((5, 33, 32, 3), np.uint8),
            noise(1.0),
            r"even height and width \(yuv420p\), got \(33, 32, 3\)",
        ),
        (np.zeros((5, 32, 32, 4), np.uint8), noise(1.0), r"must be RGB .* got \(32, 32, 4\)"),
        (np.zeros((5, 32, 32, 3), np.float32), noise(1.0), "dtype uint8, got .* float32"),
        ([np.zeros((32, 32, 3), np.uint8), np.zeros((64, 32, 3), np.uint8)], noise(1.0), r"\(64, 32, 3\)"),
        (np.zeros((5, 32, 32, 3), np.uint8), noise(1.0).astype(np.float64), "dtype float32, got .* float64"),
        (np.zeros((5, 32, 32, 3), np.uint8), noise(1.0) * 9, r"finite and in \[-1, 1\]"),
        (np.zeros((5, 32, 32, 3), np.uint8), noise(1.0) * np.float32(np.nan), r"finite and in \[-1, 1\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_video(tmp_path / "x.mp4", frames, frames_per_second=25, waveform_S=waveform)
    with pytest.raises(ValueError, match="frames_per_second must be positive, got 0"):
        write_video(tmp_path / "x.mp4", numbered_frames(5), frames_per_second=0, waveform_S=noise(1.0))
    assert list(tmp_path.iterdir()) == []

"""Clips of a long file, taken in one pass, are the clips read one by one."""

import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.media import iterate_clips, read_clip, write_video

from .conftest import check_equal, noise, numbered_frames, read_numbers, remux


@pytest.mark.parametrize("hop_seconds", [None, 1.0, 4.5])
def test_equal_clips_read_one_by_one(film: Callable[..., Path], hop_seconds: float | None):
    path, hop = film(8.6), hop_seconds or 3.0
    for sampling in ("uniform_left", "linspace_inclusive"):
        options = {"clip_seconds": 3.0, "num_frames": 5, "sampling": sampling}
        clips = list(iterate_clips(path, hop_seconds=hop_seconds, **options))
        assert [clip.start_seconds for clip in clips] == [hop * i for i in range(len(clips))]
        assert 8.6 - clips[-1].start_seconds - hop < 1.0  # nothing of a second or more is left out
        for clip in clips:
            check_equal(clip, read_clip(path, start_seconds=clip.start_seconds, **options))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "flv"])
def test_far_into_a_file(film: Callable[..., Path], tmp_path: Path, suffix: str):
    """Single clips are sought, or read from the start without decoding; over two blocks of sound."""
    path = film(64.0, frames_per_second=10)
    if suffix != "mp4":
        name = {"mkv": "matroska", "ts": "mpegts"}.get(suffix, suffix)
        path = remux(path, tmp_path / f"film.{suffix}", container_format=name)
    for clip in list(iterate_clips(path, clip_seconds=7.0, num_frames=4))[2:]:
        check_equal(clip, read_clip(path, start_seconds=clip.start_seconds, clip_seconds=7.0, num_frames=4))


def test_a_rest_shorter_than_a_second_is_left_out(film: Callable[..., Path]):
    path = film(6.8)
    assert [c.duration_seconds for c in iterate_clips(path, clip_seconds=3.0, num_frames=2)] == [3.0, 3.0]
    with_rest = list(iterate_clips(path, clip_seconds=3.0, num_frames=2, min_seconds=0.5))
    assert with_rest[-1].duration_seconds == pytest.approx(0.8)
    assert read_numbers(with_rest[-1].frames_THWC) == [150, 169]


def test_starts_where_the_video_starts(odd: Callable[[str], Path]):
    starts = [clip.start_seconds for clip in iterate_clips(odd("28"), clip_seconds=1.0, num_frames=2)]
    assert starts == [1.5, 2.5, 3.5]


def test_a_file_that_is_too_short(odd: Callable[[str], Path]):
    with pytest.raises(
        ClipTooShortError, match=r"has 0\.300 s of video from 0\.000 s on, but at least 1\.000 s"
    ):
        list(iterate_clips(odd("07")))
    with pytest.raises(ClipTooShortError, match=r"has 0\.000 s of video from 9\.000 s on"):
        read_clip(odd("00"), start_seconds=9.0)


def test_stopping_early_closes_the_file(film: Callable[..., Path]):
    path = film(6.0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    clips = iterate_clips(path, clip_seconds=2.0, num_frames=2)
    assert len(list(islice(clips, 1))) == 1
    clips.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_memory_does_not_grow_with_the_file(tmp_path: Path):
    path = tmp_path / "long.mp4"
    sound_S = np.tile(noise(10.0), 30)
    write_video(path, numbered_frames(300), frames_per_second=1, waveform_S=sound_S)
    tracemalloc.start()
    starts = [clip.start_seconds for clip in iterate_clips(path, num_frames=2)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert starts == [10.0 * i for i in range(30)]
    assert (
        peak_bytes < sound_S.nbytes
    )  # 14 MB for a file of any length; five minutes of sound alone are 19 MB


def test_lengths_and_counts_must_be_positive(odd: Callable[[str], Path]):
    for change in ({"clip_seconds": 0.0}, {"hop_seconds": -1.0}, {"num_frames": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            iterate_clips(odd("00"), **change)

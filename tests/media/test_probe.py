"""What a file says it holds, compared with what ffprobe says (recorded in odd.csv with the files)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cavmae_sync.errors import UnreadableFileError
from cavmae_sync.media import AudioInfo, VideoInfo, probe


def test_an_ordinary_file(odd: Callable[[str], Path]):
    info = probe(odd("00"))
    assert info.duration_seconds == pytest.approx(3.158, abs=1e-3)
    assert info.start_seconds == 0.0
    assert info.video == VideoInfo(
        codec="h264",
        width=480,
        height=360,
        frames_per_second=30_000 / 1001,
        rotation_degrees=0,
        is_mirrored=False,
        start_seconds=0.0,
    )
    assert info.audio == (AudioInfo(codec="aac", sample_rate_hz=44_100, num_channels=1, start_seconds=0.0),)


def test_rotation_is_counter_clockwise_to_upright(odd: Callable[[str], Path]):
    info = probe(odd("09")).video
    assert info is not None
    assert (info.rotation_degrees, info.width, info.height) == (90, 480, 360)


def test_times_count_from_the_start_of_the_container(odd: Callable[[str], Path]):
    info = probe(odd("53"))
    assert info.video is not None
    assert info.start_seconds == pytest.approx(3599.975)
    assert info.video.start_seconds == pytest.approx(0.025)
    late = probe(odd("28")).video
    assert late is not None
    assert late.start_seconds == 1.5


def test_a_cover_is_no_video(odd: Callable[[str], Path]):
    info = probe(odd("34"))
    assert info.video is None
    assert info.num_video_streams == 0
    assert len(info.audio) == 1


def test_several_streams(odd: Callable[[str], Path]):
    assert len(probe(odd("31")).audio) == 2
    two = probe(odd("32"))
    assert two.num_video_streams == 2
    assert two.video is not None
    assert two.video.width == 480  # the first, which is the default


def test_no_sound(odd: Callable[[str], Path]):
    assert probe(odd("01")).audio == ()


def test_no_media(tmp_path: Path):
    path = tmp_path / "notes.mp4"
    path.write_text("notes\n")
    with pytest.raises(UnreadableFileError, match=r"notes\.mp4 is not a media file"):
        probe(path)

"""What happens to every difficult file, in one table."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cavmae_sync.errors import (
    ClipTooShortError,
    DecodeError,
    MediaError,
    NoAudioStreamError,
    NoVideoStreamError,
    UnreadableFileError,
)
from cavmae_sync.media import probe, read_audio, read_clip, read_frames

# number, start of the clip, its length, size of its frames
ACCEPTED = [
    ("00", 0.0, 3.003, (360, 480)),
    ("05", 0.0, 0.0667, (360, 480)),  # two frames
    ("07", 0.0, 0.3003, (360, 480)),
    ("08", 0.0, 2.8362, (360, 480)),  # variable rate; the length in its header is wrong
    ("09", 0.0, 3.003, (480, 360)),  # turned upright
    ("10", 0.0, 3.003, (360, 202)),
    ("11", 0.0, 3.003, (360, 160)),  # pixels that are not square stay as stored
    ("12", 0.0, 3.0364, (241, 321)),
    ("13", 0.0, 3.003, (16, 16)),
    ("14", 0.0, 3.003, (64, 1920)),
    ("15", 0.0, 3.0, (360, 480)),  # one frame a second
    ("16", 0.0, 3.0, (360, 480)),  # 120 frames a second
    ("17", 0.0, 3.003, (360, 480)),  # 10 bit, HDR
    ("18", 0.0, 3.010, (360, 480)),
    ("20", 0.0, 3.013, (360, 480)),  # its time stamps start at 1.4 s
    ("22", 0.0, 3.003, (360, 480)),
    ("23", 0.0, 3.003, (360, 480)),
    ("24", 0.0, 3.003, (360, 480)),
    ("25", 0.0, 3.003, (360, 480)),
    ("27", 0.0, 3.003, (360, 480)),
    ("28", 1.5, 3.003, (360, 480)),  # the video starts at 1.5 s, so the clip does
    ("29", 0.0, 3.003, (360, 480)),
    ("30", 0.0, 3.003, (360, 480)),  # sound after the video is not used
    ("31", 0.0, 3.026, (360, 480)),
    ("32", 0.0, 3.026, (360, 480)),  # the first of two video streams
    ("36", 0.0, 3.003, (360, 480)),
    ("46", 0.0667, 3.003, (360, 480)),
    ("48", 0.0, 3.0, (240, 320)),
    ("51", 0.0, 3.003, (360, 480)),
    ("52", 0.0, 3.006, (360, 480)),
    ("53", 0.0, 3.028, (360, 480)),  # its time stamps start at 3600 s
    ("54", 0.0, 2.302, (360, 480)),
]

REFUSED = [
    ("01", NoAudioStreamError, r"01_no_audio.mp4 has no audio stream \(1 video streams\)"),
    ("02", NoVideoStreamError, r"has no video \(1 audio streams, 0 still images\)"),
    ("04", NoAudioStreamError, "has no audio stream"),  # one frame only, too
    (
        "06",
        ClipTooShortError,
        r"has 0\.033 s of video from 0\.000 s on, but at least 0\.050 s",
    ),  # 3 s of sound do not help
    ("34", NoVideoStreamError, r"has no video \(1 audio streams, 1 still images\)"),  # a cover
    ("35", NoAudioStreamError, "no audio stream"),
    ("39", DecodeError, r"is damaged: the video frame at 0\.83 s does not decode"),
    ("55", NoVideoStreamError, "has no video"),
]


def test_accepted(odd: Callable[[str], Path], subtests: pytest.Subtests):
    for number, start, duration, size in ACCEPTED:
        with subtests.test(number):
            clip = read_clip(odd(number))
            assert clip.frames_THWC.shape == (16, *size, 3)
            assert clip.start_seconds == pytest.approx(start, abs=1e-3)
            assert clip.duration_seconds == pytest.approx(duration, abs=1e-3)
            assert clip.waveform_S.size == round(clip.duration_seconds * 16_000)


def test_refused(odd: Callable[[str], Path], subtests: pytest.Subtests):
    for number, error, message in REFUSED:
        with subtests.test(number), pytest.raises(error, match=message):
            read_clip(odd(number))


def test_every_file_is_in_the_table(odd: Callable[[str], Path]):
    there = {path.name[:2] for path in odd("00").parent.glob("[0-9]*")}
    assert there == {row[0] for row in ACCEPTED} | {row[0] for row in REFUSED}


def test_any_name_will_do(odd: Callable[[str], Path], tmp_path: Path):
    for name in [
        "44 name with spaces & 'quote' é 音.mp4",
        "43_is_webm.mp4",
        "http:--x",
        "-i",
        "a%03d.mp4",
        "a|b",
    ]:
        path = tmp_path / name
        shutil.copy(odd("18"), path)
        assert read_clip(path, num_frames=1).duration_seconds == pytest.approx(3.01)


def test_half_of_the_data_missing(odd: Callable[[str], Path], tmp_path: Path):
    path = tmp_path / "half.mp4"
    path.write_bytes(odd("00").read_bytes()[:97830])
    with pytest.raises(DecodeError, match=r"promises video up to 3\.00 s but its data end at 1\.37 s"):
        read_clip(path)
    assert (
        read_clip(path, clip_seconds=0.7, num_frames=2).duration_seconds == 0.7
    )  # what is whole may be used


def test_sound_that_is_missing(odd: Callable[[str], Path], tmp_path: Path):
    path = tmp_path / "half.mp4"
    path.write_bytes(odd("00").read_bytes()[:97830])
    with pytest.raises(DecodeError, match=r"promises sound up to 3\.16 s but its data end at 1\.21 s"):
        read_audio(path)


def test_half_of_a_matroska_file_missing(odd: Callable[[str], Path], tmp_path: Path):
    path = tmp_path / "half.mkv"
    whole = odd("31").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match=r"promises video up to 3\.\d+ s but its data end at 1"):
        read_clip(path)


def test_damaged_sound(odd: Callable[[str], Path]):
    with pytest.raises(DecodeError, match=r"the sound at 0\.\d+ s does not decode"):
        read_audio(odd("39"))


def test_not_numbers_in_the_sound(odd: Callable[[str], Path]):
    with pytest.raises(DecodeError, match=r"NaN or infinite, the first at \d\.\d\d s"):
        read_audio(odd("55"))


def test_unreadable(tmp_path: Path, subtests: pytest.Subtests):
    for name, make, message in [
        ("missing", lambda _: None, "does not exist"),
        ("folder", lambda path: path.mkdir(), "is a folder"),
        ("empty", lambda path: path.touch(), r"is empty \(0 bytes\)"),
        ("pipe", os.mkfifo, "not a regular file"),  # opening it would wait for ever
        ("text", lambda path: path.write_text("not a video\n"), "not a media file"),
        ("noise", lambda path: path.write_bytes(np.random.default_rng(0).bytes(20_000)), "not a media file"),
        ("image", lambda path: Image.new("RGB", (64, 48)).save(path, format="png"), "not a media file"),
    ]:
        path = tmp_path / f"{name}.mp4"
        make(path)
        with subtests.test(name), pytest.raises(UnreadableFileError, match=message):
            read_clip(path)


def test_header_at_the_end_that_never_came(odd: Callable[[str], Path], tmp_path: Path):
    path = tmp_path / "no_header.mp4"
    path.write_bytes(odd("36").read_bytes()[:117_401])
    with pytest.raises(UnreadableFileError, match="Invalid data found"):
        read_clip(path)


def test_lists_of_other_files_are_not_followed(
    odd: Callable[[str], Path], tmp_path: Path, subtests: pytest.Subtests
):
    for playlist in (
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXT-X-VERSION:3\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{target}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    ):
        for suffix in (".mp4", ".m3u8", ".ffconcat"):
            path = tmp_path / f"list{suffix}"
            path.write_text(playlist.format(target=odd("20")))
            with (
                subtests.test(playlist + suffix),
                pytest.raises(UnreadableFileError, match="not a media file"),
            ):
                read_clip(path)


def test_addresses_are_only_names_of_files():
    for name in ("http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "data:video/mp4;base64,AAAA"):
        with pytest.raises(UnreadableFileError, match="does not exist"):
            read_clip(name)


def test_a_frame_of_absurd_size_is_not_made(tmp_path: Path):
    """A few bytes that ask for 17 GB."""
    path = tmp_path / "huge.gif"
    Image.new("P", (8, 8)).save(path, save_all=True, append_images=[Image.new("P", (8, 8), 1)])
    data = bytearray(path.read_bytes())
    data[6:10] = b"\xff\xff\xff\xff"  # width and height of the screen
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"huge\.gif"):
        probe(path)


def test_ffmpeg_keeps_quiet(odd: Callable[[str], Path], capfd: pytest.CaptureFixture[str]):
    read_clip(odd("00"))
    with pytest.raises(DecodeError):
        read_clip(odd("39"))
    assert capfd.readouterr() == ("", "")


def test_frames_alone_are_those_of_the_clip_and_need_no_sound(odd: Callable[[str], Path]):
    for number in ("00", "08", "20", "28"):
        np.testing.assert_array_equal(read_frames(odd(number)), read_clip(odd(number)).frames_THWC)
    assert read_frames(odd("01"), num_frames=4).shape == (4, 360, 480, 3)
    with pytest.raises(NoVideoStreamError):
        read_frames(odd("02"))
    with pytest.raises(ClipTooShortError):
        read_frames(odd("04"))

"""Files that once gave a wrong result, made after public bug reports: the right result for each."""

import shutil
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cavmae_sync.data import prepare
from cavmae_sync.errors import MediaError, UnreadableFileError
from cavmae_sync.media import iterate_clips, playback, probe, read_audio, read_clip
from cavmae_sync.media.video_frames import decode_frames, frame_times

from .conftest import check_equal

FOUND = Path(__file__).parent / "found"
ODD = Path(__file__).parent / "odd"
FILES = sorted(
    path for folder in (FOUND, ODD) for path in folder.iterdir() if path.suffix not in (".md", ".csv")
)

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)


def flash_seconds(path: Path) -> tuple[int, NDArray[np.float64]]:
    """Number of frames, and the times at which they turn from dark to bright."""
    shown = list(decode_frames(path, from_seconds=0.0))
    levels = np.array([frame.av_frame.to_ndarray(format="gray").mean() for frame in shown])
    is_bright = levels > (levels.min() + levels.max()) / 2
    return len(shown), np.array([frame.seconds for frame in shown])[1:][is_bright[1:] & ~is_bright[:-1]]


def click_seconds(waveform_S: NDArray[np.float32]) -> NDArray[np.float64]:
    """Times at which the sound becomes loud."""
    loud = np.flatnonzero(np.abs(waveform_S) > 0.4 * np.abs(waveform_S).max())
    return loud[np.r_[True, np.diff(loud) > 16_000 * 0.3]] / 16_000


def frequency_hz(waveform_S: NDArray[np.float32]) -> float:
    return float(np.abs(np.fft.rfft(waveform_S)).argmax() * 16_000 / waveform_S.size)


def silent_fraction(waveform_S: NDArray[np.float32], *, longer_than: int = 16) -> float:
    """Share of samples in stretches of zeros, which no tone has."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.abs(waveform_S) < 1e-5, 0]))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths > longer_than].sum() / waveform_S.size)


@pytest.mark.long
def test_every_click_is_at_its_flash(subtests: pytest.Subtests):
    for name, num_frames, first_flash in [
        ("h264_nob_pcm.avi", 150, 1.0),  # the place in the index, not one later
        ("h264_bframes.avi", 150, 1.0),  # frames stored out of order
        ("h264_bframes.asf", 150, 1.025),  # whose sound begins 25 ms early, at 0
        ("wma_end.wmv", 150, 1.046),
        ("ts_jump_97s.ts", 150, 1.021),
        ("audio_clock_0.998.mkv", 1500, 1.021),
    ]:
        with subtests.test(name):
            num_found, flashes = flash_seconds(FOUND / name)
            clicks = click_seconds(read_audio(FOUND / name))
            assert num_found == num_frames
            assert flashes[0] == pytest.approx(first_flash, abs=1e-3)
            assert len(clicks) == len(flashes)
            np.testing.assert_allclose(clicks, flashes, atol=5e-3)


def test_a_drifting_clock_is_followed_without_holes():
    """Samples 0.2 % slow: 120 ms after a minute, were they only counted."""
    waveform_S = read_audio(FOUND / "audio_clock_0.998.mkv")
    assert waveform_S.size / 16_000 == pytest.approx(60.04, abs=0.01)
    parts = [
        read_audio(FOUND / "audio_clock_0.998.mkv", start_seconds=start, duration_seconds=7.0)
        for start in (0.0, 23.0, 27.5, 52.0)
    ]
    for start, part_S in zip((0.0, 23.0, 27.5, 52.0), parts, strict=True):
        first = round(start * 16_000)
        np.testing.assert_array_equal(part_S, waveform_S[first : first + part_S.size])


def test_jitter_leaves_the_sound_whole():
    waveform_S = read_audio(FOUND / "jitter15_opus60.webm")
    assert silent_fraction(waveform_S) == 0.0
    assert frequency_hz(waveform_S) == pytest.approx(440, abs=0.3)
    assert waveform_S.size / 16_000 == pytest.approx(6.0, abs=0.01)
    # Against a tone without a fault, piece by piece: a cut would turn the phase.
    t = np.arange(8_000) / 16_000
    for first in range(4_000, waveform_S.size - 12_000, 8_000):
        piece_S = waveform_S[first : first + 8_000]
        tone = np.exp(2j * np.pi * 440 * t)
        explained = abs(np.vdot(tone, piece_S)) ** 2 * 2 / t.size / float(piece_S @ piece_S)
        assert explained > 0.999


def test_the_last_piece_of_sound_has_no_stamp():
    waveform_S = read_audio(FOUND / "wma_end.wma")
    assert frequency_hz(waveform_S) == pytest.approx(440, abs=0.3)
    assert waveform_S.size / 16_000 == pytest.approx(3.0, abs=0.08)  # the codec's frames are 46 ms
    assert read_clip(FOUND / "wma_end.wmv").duration_seconds == pytest.approx(6.0, abs=0.05)


def test_mirrored_frames_stand_as_players_show_them():
    for name, corners in [
        ("mirror_hflip.mp4", (GREEN, RED, WHITE, BLUE)),
        ("mirror_vflip.mp4", (BLUE, WHITE, RED, GREEN)),
        ("mirror_transpose.mp4", (RED, BLUE, GREEN, WHITE)),
    ]:
        path = FOUND / name
        for frame_HWC in (read_clip(path, num_frames=1).frames_THWC[0], next(playback(path).frames())):
            found = [frame_HWC[row, column].astype(int) for row in (8, -8) for column in (8, -8)]
            np.testing.assert_allclose(found, corners, atol=6, err_msg=name)
        video = probe(path).video
        assert video is not None
        assert video.is_mirrored


def test_a_leap_of_all_stamps_is_closed():
    clips = list(iterate_clips(FOUND / "ts_jump_97s.ts", clip_seconds=2.0, num_frames=2))
    assert [clip.start_seconds for clip in clips] == pytest.approx([0.0, 2.0, 4.0], abs=0.03)
    assert all(np.abs(clip.waveform_S).max() > 0.1 for clip in clips)  # each has a click
    assert playback(FOUND / "ts_jump_97s.ts").duration_seconds == pytest.approx(6.0, abs=0.03)


def test_a_wrong_stamp_adds_nothing():
    """A frame at 10,000 s, a packet of sound at 1,000,000 s."""
    for path in (FOUND / "gap1e4.mkv", FOUND / "audiogap.mkv"):
        assert sum(clip.duration_seconds for clip in iterate_clips(path)) == pytest.approx(3.0, abs=0.2)
        assert read_audio(path).size / 16_000 == pytest.approx(3.0, abs=0.2)
        assert playback(path).num_frames <= 32


def test_tags_inside_and_behind_sound_are_passed_over():
    for name, seconds in [("mp3_lyr.mp3", 5.0), ("mp3_cat.mp3", 10.06)]:
        assert read_audio(FOUND / name).size / 16_000 == pytest.approx(seconds, abs=0.005)


def test_data_behind_an_mp3_do_not_matter(tmp_path: Path):
    path, expected_S = tmp_path / "tail.mp3", read_audio(FOUND / "mp3_lyr.mp3")
    for tail in (bytes(100_000), b"TAG" + bytes(125), b"APETAGEX" + bytes(range(256)) * 40):
        path.write_bytes((FOUND / "mp3_lyr.mp3").read_bytes() + tail)
        found_S = read_audio(path)
        assert found_S.size - expected_S.size in (0, 265)  # the encoder's padding, as FFmpeg has it
        np.testing.assert_array_equal(found_S[:79_900], expected_S[:79_900])


def test_an_mp3_that_was_cut_off_inside_a_frame(tmp_path: Path):
    path = tmp_path / "cut.mp3"
    path.write_bytes((FOUND / "mp3_lyr.mp3").read_bytes()[:30_000])
    assert read_audio(path).size / 16_000 == pytest.approx(3.7104, abs=1e-3)  # as FFmpeg has it


def test_the_first_sound_that_can_be_decoded_is_read():
    path = FOUND / "first_audio_unknown_codec.mp4"
    assert frequency_hz(read_audio(path)) == pytest.approx(900, abs=0.3)
    assert probe(path).passed_over == ("audio stream 1 is of a codec without decoder; stream 2 is read",)


def test_a_still_that_is_not_marked_as_one_is_no_film():
    path = FOUND / "thumbnail_first.mp4"
    assert sum(clip.duration_seconds for clip in iterate_clips(path)) == pytest.approx(6.0, abs=0.01)
    assert probe(path).passed_over == ("video stream 0 is a single frame; stream 1 is read",)


def test_an_absurd_rate_of_sound_costs_only_its_file(tmp_path: Path):
    with pytest.raises(UnreadableFileError, match=r"declares sound of 1 Hz in 1 channels; 1000 to 768000 Hz"):
        read_audio(FOUND / "rate1.mkv")
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in (FOUND / "rate1.mkv", FOUND / "thumbnail_first.mp4", ODD / "00_base_ok.mp4"):
        shutil.copy(path, videos)
    report = prepare(videos, out=tmp_path / "out", num_workers=0, max_rejected_fraction=0.5)
    assert (report.num_clips, report.rejected_by_reason) == (2, {"unreadable": 1})
    assert report.num_files_passed_over == 1


def test_a_label_finds_its_file_in_either_form_of_unicode(tmp_path: Path):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(ODD / "00_base_ok.mp4", videos / "cafe\u0301.mp4")
    report = prepare(videos, out=tmp_path / "out", labels=FOUND / "labels_nfc.csv", num_workers=0)
    assert report.num_unlabelled == 0


@pytest.mark.long
def test_a_clip_is_the_same_by_itself_and_in_a_pass(subtests: pytest.Subtests):
    """On every difficult file, to the last bit. Of a minute, every fourth clip and the last."""
    for path in FILES:
        with subtests.test(path.name):
            clips = []
            with suppress(MediaError):  # another test says which are refused, and why
                clips = list(iterate_clips(path, clip_seconds=2.5, num_frames=3))
            for clip in clips if len(clips) < 10 else [*clips[::4], clips[-1]]:
                alone = read_clip(path, start_seconds=clip.start_seconds, clip_seconds=2.5, num_frames=3)
                check_equal(clip, alone)


def encoded(path: Path, *, container_format: str, video: str, audio: str, seconds: int = 16) -> Path:
    """A film of ten frames a second, stored out of order, with a tone."""
    with av.open(str(path), "w", format=container_format) as container:
        frames = container.add_stream(video, rate=10, options={"g": "12", "bf": "2"})
        frames.width, frames.height, frames.pix_fmt = 64, 48, "yuv420p"
        frames.bit_rate = 4_000_000
        sound = container.add_stream(audio, rate=44_100, layout="mono")
        sound.bit_rate = 64_000
        for number in range(10 * seconds):
            grey = np.full((48, 64, 3), 40 + 9 * (number % 20), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(frames.encode(frame))
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44_100 * seconds) / 44_100)
        frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux(sound.encode(frame))
        container.mux([*frames.encode(None), *sound.encode(None)])
    return path


@pytest.mark.parametrize(
    ("container_format", "video", "audio", "shown_first"),
    [("avi", "mpeg4", "mp3", 0.0), ("avi", "mpeg2video", "mp2", 0.0), ("asf", "mpeg4", "wmav2", None)],
)
def test_frames_out_of_order_are_in_place_inside_a_file_too(
    tmp_path: Path, container_format: str, video: str, audio: str, shown_first: float | None
):
    """Frames before a key frame depend on earlier ones, which a reader that begins there does not have."""
    name = f"film.{container_format}"
    path = encoded(tmp_path / name, container_format=container_format, video=video, audio=audio)
    clips = list(iterate_clips(path, clip_seconds=2.0, num_frames=4, sampling="uniform_center"))
    assert len(clips) == 8
    if shown_first is None:
        shown_first = next(frame_times(path, from_seconds=0.0)).seconds
    for clip in clips:
        alone = read_clip(
            path, start_seconds=clip.start_seconds, clip_seconds=2.0, num_frames=4, sampling="uniform_center"
        )
        np.testing.assert_array_equal(alone.frames_THWC, clip.frames_THWC)
        numbers = np.rint((clip.frames_THWC.mean(axis=(1, 2, 3)) - 40) / 9)
        seconds_T = clip.start_seconds + clip.frame_seconds_T - shown_first
        np.testing.assert_array_equal(numbers, np.floor(seconds_T * 10 + 0.01) % 20)


def test_bare_frames_of_aac(tmp_path: Path):
    path = tmp_path / "tone.aac"
    with av.open(str(path), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44_100 * 5) / 44_100)
        frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    content = path.read_bytes()
    for tail in (b"", bytes(10_000), b"TAG" + bytes(125)):
        path.write_bytes(content + tail)
        waveform_S = read_audio(path)
        assert waveform_S.size / 16_000 == pytest.approx(5.02, abs=0.03)
        assert frequency_hz(waveform_S) == pytest.approx(440, abs=0.3)


@pytest.mark.parametrize("ending", ["mov", "caf"])
def test_eight_channels_named_one_by_one_do_not_end_the_process(tmp_path: Path, ending: str):
    """In a process of its own: PyAV 18 frees such a layout twice, and the C library then aborts."""
    path = tmp_path / f"eight.{ending}"
    with av.open(str(path), "w", format=ending) as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="7.1")
        samples = np.arange(8 * 16_000, dtype=np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="7.1")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    script = (
        "import sys; from cavmae_sync.media import probe, read_audio; "
        "print(probe(sys.argv[1]).audio[0].num_channels, read_audio(sys.argv[1]).size)"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "8 16000\n"), ran.stderr

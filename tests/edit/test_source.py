"""Sources: rates, timecodes and frame numbers of real files, compared with what a decoder gives."""

import wave
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.edit import EditSource, read_source
from cavmae_sync.errors import ConfigError, MediaError
from cavmae_sync.media.video_frames import decode_frames

from .conftest import NUM_FRAMES
from .made import INTRA, LONG, LONG_PCM, RATES, Made, make, number_of

SLACK = 1e-3  # containers round times to a millisecond
NTSC = Fraction(30000, 1001)

#: Files whose first frame is not at time 0, or whose container rounds times.
ODD = {
    "b-frames.mp4": (Fraction(25), LONG, 0),
    "rounded.mkv": (Fraction(60000, 1001), LONG, 0),
    "late.ts": (NTSC, LONG, 0),
    "starts late.mov": (Fraction(25), INTRA, 5),
    "edit list hides three.mp4": (Fraction(24000, 1001), LONG, -3),
    "mpeg4.avi": (Fraction(25), Made("mpeg4", "yuv420p"), 0),
    "professional.mxf": (NTSC, Made("mpeg2video", "yuv420p", (("bf", "2"),)), 0),
}


@pytest.mark.parametrize("name", RATES)
def test_rate_timecode_and_length(sources: dict[str, EditSource], name: str):
    rate, timecode = RATES[name]
    source = sources[name]
    assert source.rate == rate
    assert str(source.timecode) == timecode
    assert source.timecode is not None
    assert source.timecode.is_drop == (";" in timecode)
    assert source.num_frames == NUM_FRAMES
    assert (source.width, source.height) == (64, 48)
    assert (source.sample_rate_hz, source.num_channels) == (48_000, 2)
    assert source.is_steady
    assert source.remarks == ()
    assert source.duration_seconds == pytest.approx(float(NUM_FRAMES / rate), abs=1e-3)


def numbered_by_a_decoder(path: Path) -> tuple[list[float], list[int]]:
    """Times and numbers of all frames that are shown."""
    with closing(decode_frames(path, from_seconds=0.0)) as frames:
        shown = [(frame.seconds, number_of(frame.av_frame.to_ndarray(format="rgb24"))) for frame in frames]
    return [seconds for seconds, _ in shown], [number for _, number in shown]


def assert_frames_are_those_of_a_decoder(path: Path) -> None:
    source = read_source(path)
    seconds, numbers = numbered_by_a_decoder(path)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert source.num_frames == len(numbers)
    assert source.first_seconds == pytest.approx(seconds[0], abs=1e-9)
    generator = np.random.default_rng(0)
    for start in generator.uniform(0, source.duration_seconds - 0.05, 60):
        stop = start + generator.uniform(0.001, 0.8)
        first, after = source.frames(start, stop, rate=Fraction(25))
        on_screen = max([i for i, at in enumerate(seconds) if at <= start + SLACK], default=0)
        following = min([i for i, at in enumerate(seconds) if at >= stop - SLACK], default=len(seconds))
        assert (first, after) == (on_screen, max(following, on_screen + 1))


@pytest.mark.parametrize("name", RATES)
def test_frames_of_a_moment_are_those_of_a_decoder(files: dict[str, Path], name: str):
    assert_frames_are_those_of_a_decoder(files[name])


@pytest.mark.parametrize("name", ODD)
def test_frames_of_odd_files_are_those_of_a_decoder(tmp_path: Path, name: str):
    rate, how, first = ODD[name]
    path = make(tmp_path / name, rate, 40, how=how, first=first)
    source = read_source(path)
    assert (source.rate, source.is_steady) == (rate, True)
    assert_frames_are_those_of_a_decoder(path)
    if first > 0:
        assert source.first_seconds == pytest.approx(float(first / rate))
        assert "its first frame" in source.remarks[0]
    if first < 0:
        assert source.num_frames == 40 + first


@pytest.mark.parametrize("name", ["tagged.mkv", "tagged.mxf", "tagged.mp4"])
def test_timecode_is_found_in_every_container(tmp_path: Path, name: str):
    how = Made("mpeg2video", "yuv420p") if name.endswith("mxf") else LONG_PCM if "mkv" in name else LONG
    path = make(tmp_path / name, NTSC, 20, timecode="01:02:03;04", how=how)
    assert str(read_source(path).timecode) == "01:02:03;04"


def test_a_wrong_timecode_is_told_and_left_out(tmp_path: Path):
    path = make(tmp_path / "wrong.mkv", NTSC, 20, timecode="01:01:00;00", how=LONG)
    source = read_source(path)
    assert source.timecode is None
    assert "leaves this number out" in source.remarks[0]
    assert str(source.start(NTSC)) == "00:00:00:00"


def test_variable_rate_is_counted_by_time(tmp_path: Path):
    steps = [40, 40, 40, 40, 120, 40, 40, 200, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40]
    ticks = [0, *np.cumsum(steps).tolist()]
    path = make(tmp_path / "phone.mp4", Fraction(25), 20, how=LONG, ticks=ticks)
    source = read_source(path)
    assert not source.is_steady
    assert source.rate == 25
    assert "varies" in source.remarks[0]
    # 0.5 s is 12.5 steps of 40 ms, whatever frames are on screen.
    assert source.frames(0.5, 0.6, rate=Fraction(25)) == (12, 15)
    assert source.num_frames == 26  # 25 steps to the last frame, and itself


def test_rate_without_timecode_takes_the_next_that_has_one(tmp_path: Path):
    path = make(tmp_path / "odd.mkv", Fraction(25, 2), 20, how=LONG)
    source = read_source(path)
    assert source.rate == 15
    assert not source.is_steady
    assert "do not count in 12.500" in source.remarks[0]


def test_sound_alone_is_counted_at_the_rate_of_the_sequence(tmp_path: Path):
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(bytes(2 * 96_000))
    source = read_source(path)
    assert (source.has_video, source.has_audio, source.num_frames) == (False, True, None)
    assert source.duration_seconds == pytest.approx(2.0)
    assert source.frames(0.5, 1.0, rate=Fraction(25)) == (12, 25)
    assert source.frames(0.5, 1.0, rate=NTSC) == (14, 30)
    assert source.length(Fraction(25)) == 50
    assert str(source.start(NTSC)) == "00:00:00:00"


def test_broadcast_wave_begins_at_its_time(tmp_path: Path):
    path = tmp_path / "recorder.wav"
    with av.open(str(path), "w", options={"write_bext": "1"}) as container:
        container.metadata["time_reference"] = str(48_000 * 3600 + 24_000)
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = read_source(path)
    assert source.start_samples == 48_000 * 3600 + 24_000
    assert str(source.start(Fraction(24))) == "01:00:00:12"
    assert str(source.start(Fraction(25))) == "01:00:00:13"  # 12.5, half up


def test_a_moment_must_be_in_its_file(sources: dict[str, EditSource]):
    source = sources["25"]
    for start, stop, said in (
        (1.0, 1.0, "no length"),
        (0.0, float("inf"), "no length"),
        (9.0, 10.0, "ends at"),
    ):
        with pytest.raises(ConfigError, match=said):
            source.frames(start, stop, rate=Fraction(25))
    assert source.frames(1.5, 99.0, rate=Fraction(25)) == (37, NUM_FRAMES)
    assert source.frames(1.59999, 1.6, rate=Fraction(25)) == (39, 40)


def test_what_is_no_media_says_so(tmp_path: Path):
    (tmp_path / "text.mov").write_text("no film")
    with pytest.raises(MediaError, match=r"text\.mov"):
        read_source(tmp_path / "text.mov")

"""Small copies for browsers: the times of frames and of the sound are those of the file."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.errors import MediaError
from cavmae_sync.media import probe, read_audio, write_video
from cavmae_sync.media.proxy import PROXY_PIXELS, StoppedError, plays_in_browsers, write_proxy
from cavmae_sync.media.video_frames import decode_frames, frame_times

RATE = 48_000


def make_matroska(path: Path, times_ms: Sequence[int], *, click: float | None = None, size: int = 64) -> None:
    """A file that browsers do not play: frames of six brightnesses at given times, PCM with a click."""
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = size, size // 2, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("pcm_s24le", rate=RATE, layout="stereo") if click is not None else None
        for number, at in enumerate(times_ms):
            grey = np.full((size // 2, size, 3), 20 + 40 * (number % 6), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and click is not None:
            samples = np.zeros((2, round((times_ms[-1] / 1000 + 0.1) * RATE)), np.float32)
            samples[:, round(click * RATE) : round(click * RATE) + 48] = 0.8
            packed = (samples * (2**31 - 1)).astype(np.int32).T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format="s32", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))


def times_of(path: Path) -> list[float]:
    return sorted(time.seconds for time in frame_times(path, from_seconds=0.0))


#: 23.976, 25, 29.97, 50 and 59.94 frames per second as milliseconds, and times that vary.
TIMES = {
    "24000/1001": [round(n * 1001 / 24) for n in range(40)],
    "25": [n * 40 for n in range(40)],
    "30000/1001": [round(n * 1001 / 30) for n in range(40)],
    "60000/1001": [round(n * 1001 / 60) for n in range(40)],
    "varying": [0, 40, 200, 210, 220, 700, 1000, 1500],
}


@pytest.mark.parametrize("rate", TIMES)
def test_frames_keep_their_times(tmp_path: Path, rate: str):
    make_matroska(tmp_path / "a.mkv", TIMES[rate], click=0.3)
    assert not plays_in_browsers(tmp_path / "a.mkv")
    write_proxy(tmp_path / "a.mkv", tmp_path / "p.mp4")
    assert plays_in_browsers(tmp_path / "p.mp4")
    np.testing.assert_allclose(times_of(tmp_path / "p.mp4"), times_of(tmp_path / "a.mkv"), atol=1 / 45_000)
    shown = [
        frame.av_frame.to_ndarray(format="gray").mean()
        for frame in decode_frames(tmp_path / "p.mp4", from_seconds=0)
    ]
    true = [
        frame.av_frame.to_ndarray(format="gray").mean()
        for frame in decode_frames(tmp_path / "a.mkv", from_seconds=0)
    ]
    np.testing.assert_allclose(shown, true, atol=8)  # neighbours differ by 40


def test_sound_is_in_step(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [n * 40 for n in range(60)], click=1.25)
    write_proxy(tmp_path / "a.mkv", tmp_path / "p.mp4")
    for path in (tmp_path / "a.mkv", tmp_path / "p.mp4"):
        sound = np.abs(read_audio(path, sample_rate_hz=RATE))
        assert np.argmax(sound) / RATE == pytest.approx(1.25, abs=0.003), path


def test_large_frames_become_small(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [0, 40, 80], size=1600)
    write_proxy(tmp_path / "a.mkv", tmp_path / "p.mp4")
    info = probe(tmp_path / "p.mp4")
    assert info.video is not None
    assert (info.video.width, info.video.height) == (PROXY_PIXELS, PROXY_PIXELS // 2)
    assert info.audio == ()


def test_sound_alone_has_a_proxy(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [n * 40 for n in range(30)], click=0.7)
    with (
        av.open(str(tmp_path / "a.mkv")) as source,
        av.open(str(tmp_path / "s.mka"), "w", format="matroska") as out,
    ):
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    write_proxy(tmp_path / "s.mka", tmp_path / "p.mp4")
    assert plays_in_browsers(tmp_path / "p.mp4")
    assert np.argmax(np.abs(read_audio(tmp_path / "p.mp4"))) / 16_000 == pytest.approx(0.7, abs=0.003)


def test_what_browsers_play_needs_none(tmp_path: Path):
    write_video(
        tmp_path / "a.mp4", np.zeros((3, 32, 32, 3), np.uint8), frames_per_second=10,
        waveform_S=np.zeros(4800, np.float32),
    )  # fmt: skip
    assert plays_in_browsers(tmp_path / "a.mp4")


def test_a_stop_and_damage_leave_nothing(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [n * 40 for n in range(60)], click=1.25)
    with pytest.raises(StoppedError):
        write_proxy(tmp_path / "a.mkv", tmp_path / "p.mp4", should_stop=lambda: True)
    (tmp_path / "cut.mkv").write_bytes((tmp_path / "a.mkv").read_bytes()[:3000])
    with pytest.raises(MediaError):
        write_proxy(tmp_path / "cut.mkv", tmp_path / "p.mp4")
    assert [path.name for path in tmp_path.iterdir() if "p.mp4" in path.name] == []

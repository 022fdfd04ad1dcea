"""Clips of real files: the right frames, the right samples, in step, and copied where that is exact."""

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.edit import CutClip, EditMoment, cut, read_source
from cavmae_sync.errors import ConfigError, MediaError
from cavmae_sync.media import read_audio, read_clip
from cavmae_sync.media.proxy import StoppedError

from .made import HZ, INTRA, LONG, LONG_PCM, Made, make, noise, picture
from .test_source import numbered_by_a_decoder

NTSC = Fraction(30000, 1001)


@dataclass(frozen=True)
class Case:
    """A file, the frames to cut, and what should become of its picture and its sound."""

    name: str
    rate: Fraction
    how: Made
    frames: tuple[int, int]
    picture: str
    sound: str | None


CASES = [
    Case("intra.mov", Fraction(25), INTRA, (5, 17), "copied", "copied"),
    Case("prores.mov", NTSC, Made("prores_ks", "yuv422p10le"), (7, 9), "copied", "copied"),
    Case("key to key.mp4", Fraction(24000, 1001), LONG, (12, 24), "copied", "encoded"),
    Case("ends inside.mp4", Fraction(25), LONG, (12, 23), "encoded", "encoded"),
    Case("begins inside.mov", NTSC, LONG_PCM, (5, 24), "encoded", "copied"),
    Case("to the end.mov", NTSC, LONG_PCM, (36, 48), "copied", "copied"),
    Case("rounded.mkv", Fraction(60000, 1001), LONG, (12, 36), "copied", "encoded"),
    Case("rounded, inside.mkv", Fraction(24000, 1001), LONG_PCM, (3, 30), "encoded", "copied"),
    Case("stream.ts", Fraction(25), LONG, (12, 24), "copied", "encoded"),
    Case("open groups.mxf", Fraction(25), Made("mpeg2video", "yuv420p", (("bf", "2"),)), (12, 24), "encoded",
         "copied"),
    Case("old.avi", Fraction(25), Made("mpeg4", "yuv420p"), (12, 24), "encoded", "copied"),
    Case("vp9.webm", Fraction(30), Made("libvpx-vp9", "yuv420p", (("g", "12"), ("deadline", "realtime"),
         ("cpu-used", "8"), ("lag-in-frames", "0")), "libopus", "mono"), (12, 24), "copied", "encoded"),
    Case("silent.mp4", Fraction(50), Made("libx264", "yuv420p", (("g", "12"), ("preset", "ultrafast")), None),
         (12, 20), "copied", None),
]  # fmt: skip


def cut_frames(path: Path, out: Path, first: int, stop: int) -> CutClip:
    """Cut frames of a file: a moment that begins and ends inside of the first and the last."""
    source = read_source(path)
    assert source.rate is not None
    inside = 0.3 / float(source.rate)
    moment = EditMoment(
        source=source,
        start_seconds=source.seconds_of(first, rate=source.rate) + inside,
        stop_seconds=source.seconds_of(stop, rate=source.rate) - inside,
    )
    return cut([moment], out)[0]


def lag_of(path: Path, clip: CutClip) -> float:
    """Seconds by which the sound of a clip comes late, by correlation with that of its source."""
    length = clip.stop_seconds - clip.start_seconds
    there = read_audio(path, start_seconds=clip.start_seconds, duration_seconds=length, sample_rate_hz=HZ)
    here = read_audio(clip.path, start_seconds=0.0, duration_seconds=length, sample_rate_hz=HZ)
    size = min(len(there), len(here))
    spectrum = np.fft.rfft(here[:size], 2 * size) * np.conj(np.fft.rfft(there[:size], 2 * size))
    peak = int(np.argmax(np.fft.irfft(spectrum)))
    return (peak - 2 * size if peak > size else peak) / HZ


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_frames_and_samples_of_a_clip(tmp_path: Path, case: Case):
    tagged = "01:00:00:00" if case.name.endswith(("mov", "mp4", "mkv")) else None
    path = make(tmp_path / case.name, case.rate, 48, how=case.how, timecode=tagged)
    clip = cut_frames(path, tmp_path / "clips", *case.frames)
    assert (clip.picture, clip.sound) == (case.picture, case.sound), (clip.picture_reason, clip.sound_reason)
    seconds, numbers = numbered_by_a_decoder(clip.path)
    assert numbers == list(range(*case.frames))
    steps = np.arange(len(numbers)) / float(case.rate)
    assert np.abs(np.array(seconds) - steps).max() <= 1.1e-3
    # Matroska rounds times to a millisecond: in its files, sound and picture are in step no better.
    is_rounded = path.suffix in (".mkv", ".webm")
    if case.sound is not None:
        assert abs(lag_of(path, clip)) <= (1e-3 if is_rounded else 1.5 / HZ)
    if case.sound == "copied" and not is_rounded:
        stored = [frame.to_ndarray() for frame in av.open(str(clip.path)).decode(audio=0)]
        first = round(clip.start_seconds * HZ)
        samples = np.concatenate(stored, axis=1)[0, ::2]
        wanted = noise(round(48 / case.rate * HZ))[first : round(clip.stop_seconds * HZ)]
        assert abs(len(samples) - len(wanted)) <= 1
        assert np.array_equal(samples[: len(wanted)], wanted[: len(samples)])
    again = read_source(clip.path)
    assert again.rate == case.rate
    if tagged is not None:
        assert str(again.timecode) == str(read_source(path).start(case.rate).later(case.frames[0]))


def test_a_copy_has_the_bits_of_its_source(tmp_path: Path):
    path = make(tmp_path / "intra.mov", Fraction(25), 30)
    clip = cut_frames(path, tmp_path / "clips", 5, 17)

    def packets(file: Path) -> list[bytes]:
        with av.open(str(file)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert packets(clip.path) == packets(path)[5:17]
    assert "key frame" in clip.picture_reason


def test_reasons_are_said(tmp_path: Path):
    path = make(tmp_path / "long.mp4", Fraction(25), 48, how=LONG)
    assert "the one before it is at 0.000 s" in cut_frames(path, tmp_path / "a", 5, 24).picture_reason
    assert "stored among frames" in cut_frames(path, tmp_path / "b", 12, 23).picture_reason
    assert "aac cannot be cut between two samples" in cut_frames(path, tmp_path / "c", 12, 24).sound_reason


def test_variable_rate_keeps_its_times(tmp_path: Path):
    steps = [40, 40, 120, 40, 200] * 8
    path = make(tmp_path / "phone.mp4", Fraction(25), 40, how=LONG, ticks=[0, *np.cumsum(steps).tolist()])
    source = read_source(path)
    clip = cut([EditMoment(source=source, start_seconds=0.5, stop_seconds=1.2)], tmp_path / "clips")[0]
    there, numbers = numbered_by_a_decoder(path)
    seconds, cut_numbers = numbered_by_a_decoder(clip.path)
    assert clip.start_seconds == pytest.approx(0.48)  # 12 steps of 40 ms, no frame begins there
    assert cut_numbers == [n for n, at in zip(numbers, there, strict=True) if 0.48 <= at < 1.2]
    wanted = [at - 0.48 for at in there if 0.48 <= at < 1.2]
    assert seconds == pytest.approx(wanted, abs=1e-3)


def write_wav(path: Path, *, seconds: float = 2.0) -> np.ndarray:
    samples = noise(round(seconds * HZ))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes(samples.tobytes())
    return samples


def test_sound_alone_is_exact_to_the_sample(tmp_path: Path):
    samples = write_wav(tmp_path / "sound.wav")
    source = read_source(tmp_path / "sound.wav")
    moment = EditMoment(source=source, start_seconds=0.123456, stop_seconds=1.654321)
    clip = cut([moment], tmp_path / "clips")[0]
    assert (clip.picture, clip.sound, clip.path.suffix) == (None, "copied", ".wav")
    with wave.open(str(clip.path)) as file:
        found = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    first = round(0.123456 * HZ)
    assert np.array_equal(found, samples[first : first + round((1.654321 - 0.123456) * HZ)])


@pytest.mark.parametrize(
    ("name", "codec", "suffix"), [("a.flac", "flac", ".flac"), ("a.mp3", "libmp3lame", ".wav")]
)
def test_other_sound_alone(tmp_path: Path, name: str, codec: str, suffix: str):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise(2 * HZ)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = HZ, 0
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=HZ, frame_size=1152)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    moment = EditMoment(source=read_source(path), start_seconds=0.5, stop_seconds=1.5)
    clip = cut([moment], tmp_path / "clips")[0]
    assert (clip.sound, clip.path.suffix) == ("encoded", suffix)
    assert lag_of(path, clip) == 0
    here = read_audio(clip.path, sample_rate_hz=HZ)
    there = read_audio(path, start_seconds=0.5, duration_seconds=1.0, sample_rate_hz=HZ)
    assert len(here) == len(there) == HZ
    assert np.abs(here - there).max() <= (0.0 if codec == "flac" else 1e-3)


def test_nothing_is_written_over_unless_it_is_asked_for(tmp_path: Path):
    path = make(tmp_path / "a; rm -rf.mov", Fraction(25), 20)
    source = read_source(path)
    moments = [
        EditMoment(source=source, start_seconds=0.0, stop_seconds=0.2, name="../out"),
        EditMoment(source=source, start_seconds=0.2, stop_seconds=0.4),
    ]
    told: list[tuple[int, int]] = []
    clips = cut(moments, tmp_path / "clips", on_progress=lambda *at: told.append(at))
    assert [clip.path.name for clip in clips] == ["01 out 00-00-00-00.mov", "02 a; rm -rf 00-00-00-05.mov"]
    assert told[-1] == (2000, 2000)
    assert told == sorted(told)
    with pytest.raises(ConfigError, match="is there already, and 1 more"):
        cut(moments, tmp_path / "clips")
    assert len(cut(moments, tmp_path / "clips", overwrite=True)) == 2
    assert len(list((tmp_path / "clips").iterdir())) == 2


def test_a_stop_and_a_damaged_file_leave_nothing(tmp_path: Path):
    path = make(tmp_path / "a.mp4", Fraction(25), 48, how=LONG)
    source = read_source(path)
    moment = EditMoment(source=source, start_seconds=0.2, stop_seconds=1.5)
    asked = iter([False] * 5 + [True] * 100)
    with pytest.raises(StoppedError):
        cut([moment], tmp_path / "clips", should_stop=lambda: next(asked))
    assert list((tmp_path / "clips").iterdir()) == []
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(MediaError):
        cut([moment], tmp_path / "clips")
    assert list((tmp_path / "clips").iterdir()) == []


@pytest.mark.parametrize("name", ["mirror_hflip.mp4", "mirror_vflip.mp4", "mirror_transpose.mp4"])
def test_what_is_encoded_again_stands_upright(tmp_path: Path, name: str):
    path = Path(__file__).parents[1] / "media" / "found" / name
    clip = cut_frames(path, tmp_path / "clips", 8, 20)
    assert clip.picture == "encoded"
    there = read_clip(
        path, start_seconds=clip.start_seconds, clip_seconds=0.01, num_frames=1, min_seconds=0.0
    )
    here = read_clip(clip.path, clip_seconds=0.01, num_frames=1, min_seconds=0.0)
    difference = here.frames_THWC.astype(int) - there.frames_THWC.astype(int)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("name", ["four tracks.mov", "four tracks.mkv"])
def test_all_sound_streams_are_cut(tmp_path: Path, name: str):
    """A camera with a track for each microphone; one of them has sound that must be encoded again."""
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        tracks = [container.add_stream("pcm_s16le", rate=HZ, layout="mono") for _ in range(3)]
        tracks.append(container.add_stream("aac", rate=HZ, layout="mono"))
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        for i, track in enumerate(tracks):
            samples = noise(2 * HZ)[i * 1000 : i * 1000 + 57_600]
            frame = av.AudioFrame.from_ndarray(samples[None].copy(), format="s16", layout="mono")
            frame.sample_rate, frame.pts = HZ, 0
            resampler = av.AudioResampler(format=track.format, layout="mono", rate=HZ, frame_size=1024)
            for part in (*resampler.resample(frame), *resampler.resample(None), None):
                container.mux(track.encode(part))
    source = read_source(path)
    assert source.num_channels == 4
    clip = cut_frames(path, tmp_path / "clips", 5, 25)
    assert clip.sound == "encoded"
    assert clip.sound_reason.startswith("PCM can be cut between any two samples. aac cannot")
    for i in range(3):
        with av.open(str(clip.path)) as container:
            assert len(container.streams.audio) == 4
            found = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=i)])
        wanted = noise(2 * HZ)[i * 1000 + HZ // 5 : i * 1000 + HZ]
        assert np.array_equal(found, wanted)

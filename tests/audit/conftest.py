"""Small videos with every fault that an audit must find."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.media import write_video

#: Frames per second, seconds, pixels.
RATE, SECONDS, PIXELS = 8, 2.0, 64


def scene(seed, seconds=SECONDS):
    """Coloured blocks, each changing at its own pace."""
    generator = np.random.default_rng(seed)
    first, last = generator.integers(0, 256, (2, 8, 8, 3))
    times = np.linspace(0, 1, round(seconds * RATE))[:, None, None, None]
    small = first + (last - first) * times
    return small.repeat(PIXELS // 8, axis=1).repeat(PIXELS // 8, axis=2).astype(np.uint8)


def tune(seed, seconds=SECONDS):
    """Tones that come and go every 0.1 s."""
    generator = np.random.default_rng(1000 + seed)
    steps = round(seconds * 10)
    time = np.arange(1600) / 16_000
    notes = np.exp(generator.uniform(np.log(200), np.log(6000), (steps, 4)))
    parts = [sum(np.sin(2 * np.pi * hertz * time) for hertz in chord) for chord in notes]
    return (np.concatenate(parts) * 0.1).astype(np.float32)


def reencode(source: Path, target: Path, *, pixels: int, gain: float):
    """Another container, size, codec of sound and gain, two channels."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        video = made.add_stream("mpeg4", rate=Fraction(RATE))
        video.width = video.height = pixels
        video.pix_fmt, video.bit_rate = "yuv420p", 200_000
        audio = made.add_stream("mp3", rate=44_100, layout="stereo")
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=44_100)
        for frame in given.decode(video=0):
            made.mux(video.encode(frame.reformat(pixels, pixels, "yuv420p")))
        made.mux(video.encode(None))
        given.seek(0)
        for frame in given.decode(audio=0):
            samples = np.clip(frame.to_ndarray() * gain, -1, 1).astype(np.float32)
            louder = av.AudioFrame.from_ndarray(samples, format="fltp", layout=frame.layout.name)
            louder.sample_rate, louder.pts, louder.time_base = frame.sample_rate, frame.pts, frame.time_base
            for part in resampler.resample(louder):
                made.mux(audio.encode(part))
        made.mux(audio.encode(None))


@pytest.fixture(scope="session")
def faulty_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """well, other: nothing is wrong; every other file has the fault of its name. Shared: do not change it."""
    folder = tmp_path_factory.mktemp("videos")

    def write(name, frames, wave):
        write_video(folder / f"{name}.mp4", frames, frames_per_second=RATE, waveform_S=wave)

    write("a_well", scene(0), tune(0))
    write("b_other", scene(1), tune(1))
    write("c_silent", scene(2), np.zeros(32_000, dtype=np.float32))
    write("d_silent_too", scene(3), np.zeros(32_000, dtype=np.float32))
    write("e_black", np.zeros_like(scene(0)), tune(4))
    write("f_still", scene(5)[:1].repeat(16, axis=0), tune(5))
    write("g_short", scene(6, 1.0), tune(6, 1.0))
    write("h_same_sound", scene(7), tune(0))
    write("i_same_picture", scene(1), tune(8))
    (folder / "j_same_file.mp4").write_bytes((folder / "a_well.mp4").read_bytes())
    reencode(folder / "b_other.mp4", folder / "k_reencoded.mkv", pixels=96, gain=0.5)
    (folder / "l_text.mp4").write_text("no video")
    (folder / "notes.txt").write_text("no media")
    return folder

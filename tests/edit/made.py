"""Small real files at every rate: each frame shows its number, and the sound is noise that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
BITS = 8
HZ = 48_000

#: Rates of the issue, with the start timecode that each file gets: drop and non-drop.
RATES = {
    "23.976": (Fraction(24000, 1001), "01:00:00:00"),
    "24": (Fraction(24), "00:59:59:23"),
    "25": (Fraction(25), "10:00:00:00"),
    "29.97df": (Fraction(30000, 1001), "01:00:59;20"),
    "29.97ndf": (Fraction(30000, 1001), "01:00:59:20"),
    "30": (Fraction(30), "01:00:00:00"),
    "50": (Fraction(50), "23:59:59:40"),
    "59.94df": (Fraction(60000, 1001), "01:00:59;40"),
    "59.94ndf": (Fraction(60000, 1001), "01:00:59:40"),
    "60": (Fraction(60), "00:00:00:00"),
}


@dataclass(frozen=True)
class Made:
    """How a file is made."""

    codec: str = "mjpeg"
    pixels: str = "yuvj420p"
    options: tuple[tuple[str, str], ...] = ()
    audio: str | None = "pcm_s16le"
    layout: str = "stereo"
    container: tuple[tuple[str, str], ...] = ()


INTRA = Made()
LONG = Made("libx264", "yuv420p", (("preset", "ultrafast"), ("bf", "2"), ("g", "12")), "aac", "mono")
LONG_PCM = Made("libx264", "yuv420p", (("preset", "ultrafast"), ("bf", "2"), ("g", "12")), "pcm_s16le")


def picture(number: int) -> np.ndarray:
    """Frame with its number in black and white bars."""
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 200 + 20, WIDTH // BITS)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def number_of(frame_HWC: np.ndarray) -> int:
    """Number that a frame shows."""
    middles = frame_HWC[HEIGHT // 2, WIDTH // BITS // 2 :: WIDTH // BITS, 0]
    return sum(int(value > 120) << bit for bit, value in enumerate(middles))


def make(
    path: Path,
    rate: Fraction,
    num_frames: int,
    *,
    timecode: str | None = None,
    how: Made = INTRA,
    ticks: Sequence[int] | None = None,
    first: int = 0,
) -> Path:
    """Write a file.

    Args:
        path: File to write.
        rate: Frames per second.
        num_frames: Frames.
        timecode: Timecode at its start.
        how: Codecs.
        ticks: Times of frames in steps of 1/1000 s, for a variable rate.
        first: Steps of a frame before the first one.
    """
    with av.open(str(path), "w", options=dict(how.container)) as container:
        video = container.add_stream(how.codec, rate=rate, options=dict(how.options))
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, how.pixels
        if timecode is not None:
            video.metadata["timecode"] = timecode
            container.metadata["timecode"] = timecode
        if ticks is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        audio = None if how.audio is None else container.add_stream(how.audio, rate=HZ, layout=how.layout)
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format=how.pixels)
            frame.pts = number + first if ticks is None else ticks[number]
            frame.time_base = 1 / rate if ticks is None else Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            seconds = float((num_frames + first) / rate) if ticks is None else ticks[num_frames - 1] / 1000
            _add_sound(container, audio, round(seconds * HZ), how.layout)
    return path


def noise(num_samples: int) -> np.ndarray:
    """Samples of dull noise, which lossy codecs keep in place: no two stretches are alike."""
    rough = np.random.default_rng(7).normal(0, 4000, num_samples + 15)
    return np.convolve(rough, np.full(16, 0.25), "valid").clip(-32_000, 32_000).astype(np.int16)


def _add_sound(container, audio, num_samples: int, layout: str) -> None:
    channels = 2 if layout == "stereo" else 1
    samples = np.repeat(noise(num_samples)[:, None], channels, axis=1).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
    frame.sample_rate, frame.pts = HZ, 0
    resampler = av.AudioResampler(format=audio.format, layout=layout, rate=HZ, frame_size=1024)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(audio.encode(part))
    container.mux(audio.encode(None))

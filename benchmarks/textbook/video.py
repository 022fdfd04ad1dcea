"""Reading a video file as it is often done: seek to each frame, then read the sound in a second pass."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

RATE = 16_000


def frames_by_seeking(path: Path, times: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Frame on screen at each time, `[T, H, W, 3]`: seek back to a key frame, decode up to it."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for seconds in times:
            container.seek(round(seconds / stream.time_base), stream=stream, backward=True)
            shown = None
            for frame in container.decode(stream):
                if shown is not None and frame.time > seconds + 1e-6:
                    break
                shown = frame
            frames.append(_rgb(shown))
    return np.stack(frames)


def all_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """All frames of a file and their times."""
    with av.open(str(path)) as container:
        decoded = [(_rgb(frame), frame.time) for frame in container.decode(container.streams.video[0])]
    return np.stack([rgb for rgb, _ in decoded]), np.array([time for _, time in decoded])


def sound(path: Path, *, seconds: float = 10.0) -> NDArray[np.float32]:
    """The sound of a clip from the start of a file, the first channel at 16 kHz."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=RATE)
        blocks = [
            block.to_ndarray()[0] for frame in container.decode(stream) for block in resampler.resample(frame)
        ]
    return np.concatenate(blocks)[: round(seconds * RATE)]


def square(frame: NDArray[np.uint8], *, pixels: int) -> NDArray[np.uint8]:
    """Middle square of a frame, by Pillow."""
    height, width = frame.shape[:2]
    short = min(height, width)
    size = (pixels * width // short, pixels * height // short)
    left, top = round((size[0] - pixels) / 2), round((size[1] - pixels) / 2)
    resized = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + pixels, top + pixels)))


def normalized(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Normalised frame, `[3, H, W]`."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return ((frame / 255 - mean) / std).transpose(2, 0, 1).astype(np.float32)


def _rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return frame.reformat(format="rgb24", interpolation="BICUBIC", dst_color_range="JPEG").to_ndarray()

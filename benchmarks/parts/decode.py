"""One clip of a video file: 16 frames and ten seconds of sound."""

from functools import partial

import numpy as np

from benchmarks import footage
from benchmarks.part import Answer, Part, Setting, Variant, Work
from benchmarks.textbook import video
from cavmae_sync import paper
from cavmae_sync.media import read_clip


def textbook(setting: Setting, *, size: str) -> Work:
    """Seek to each frame, then open the file again for its sound."""
    path = footage.videos(setting, size)[0]
    times = read_clip(path).frame_seconds_T
    found: list[np.ndarray] = []

    def repeat() -> None:
        found[:] = [
            video.frames_by_seeking(path, times),
            video.sound(path, seconds=footage.SECONDS),
        ]

    return Work(repeat=repeat, answer=lambda: _answer(*found))


def one_pass(setting: Setting, *, size: str) -> Work:
    """`read_clip`: each packet once, in order."""
    path = footage.videos(setting, size)[0]
    found: list[np.ndarray] = []

    def repeat() -> None:
        clip = read_clip(path)
        found[:] = [clip.frames_THWC, clip.waveform_S]

    return Work(repeat=repeat, answer=lambda: _answer(*found))


def _answer(frames: np.ndarray, sound: np.ndarray) -> Answer:
    """Every fourth pixel; the first second of sound (ends differ by what a resampler holds back)."""
    few = frames[:, ::4, ::4].reshape(len(frames), -1)
    return {"frames": few, "sound": sound[: paper.SAMPLE_RATE_HZ]}


def _part(size: str) -> Part:
    width, height = footage.SIZES[size]
    return Part(
        name=f"decode-{size}",
        title=f"decoding a clip: 16 frames and sound of an H.264 file, ten seconds of {width} x {height}",
        unit="clip",
        prepare=partial(_prepare, size=size),
        variants=(
            Variant(name="textbook, seeking", make=partial(textbook, size=size)),
            Variant(name="one pass", make=partial(one_pass, size=size)),
        ),
        note=f"A key frame every {footage.KEY_FRAMES_EVERY} frames, five seconds; the rarer they are, the "
        "slower is seeking.",
    )


def _prepare(setting: Setting, *, size: str) -> None:
    footage.videos(setting, size)


PARTS = tuple(_part(size) for size in footage.SIZES)

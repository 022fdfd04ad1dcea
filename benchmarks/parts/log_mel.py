"""Sound of ten seconds to the segments of 16 frames; and frames of 360p to squares of 224 pixels."""

import numpy as np
import torch

from benchmarks.part import Part, Setting, Variant, Work
from benchmarks.textbook import spectrogram, video
from cavmae_sync import paper
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop

CONFIG = InputConfig()


def _waveform() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, round(paper.CLIP_SECONDS) * paper.SAMPLE_RATE_HZ).astype(np.float32)


def textbook_segments(_: Setting) -> Work:
    """The whole spectrogram for every frame."""
    waveform = _waveform()

    def compute() -> np.ndarray:
        return spectrogram.segments(
            waveform,
            num_frames=paper.NUM_FRAMES,
            length=CONFIG.segment_length,
            mean=CONFIG.spectrogram_mean,
            std=CONFIG.spectrogram_std,
        )

    return Work(repeat=lambda: _nothing(compute()), answer=lambda: {"segments": compute()})


def segments(_: Setting) -> Work:
    """The spectrogram once, then cut."""
    waveform = _waveform()

    def compute() -> torch.Tensor:
        return cut_segments(
            log_mel(waveform),
            frame_seconds=range(paper.NUM_FRAMES),  # "padded" only counts them
            config=CONFIG,
        )

    return Work(repeat=lambda: _nothing(compute()), answer=lambda: {"segments": compute().numpy()})


def _stored_frames() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (paper.NUM_FRAMES, 45, 80, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def textbook_frames(_: Setting) -> Work:
    """Pillow, one frame at a time."""
    stored = _stored_frames()

    def compute() -> np.ndarray:
        return np.stack([video.normalized(video.square(each, pixels=paper.FRAME_PIXELS)) for each in stored])

    return Work(repeat=lambda: _nothing(compute()), answer=lambda: {"frames": _rows(compute())})


def frames(_: Setting) -> Work:
    """All frames at once."""
    stored = _stored_frames()

    def compute() -> torch.Tensor:
        return normalize_frames(resize_and_crop(stored, pixels=paper.FRAME_PIXELS))

    return Work(repeat=lambda: _nothing(compute()), answer=lambda: {"frames": _rows(compute().numpy())})


def _rows(frames_THWC: np.ndarray) -> np.ndarray:
    return frames_THWC.reshape(len(frames_THWC), -1)


def _nothing(_: object) -> None:
    return None


SOUND = Part(
    name="log-mel",
    title="sound of ten seconds to 16 segments of log-mel spectrogram",
    unit="clip",
    variants=(
        Variant(name="textbook, per frame", make=textbook_segments),
        Variant(name="once per clip", make=segments),
    ),
)
FRAMES = Part(
    name="frames",
    title="16 frames of 640 x 360 to squares of 224 pixels, normalised",
    unit="clip",
    variants=(
        Variant(name="textbook, Pillow", make=textbook_frames),
        Variant(name="torch", make=frames),
    ),
    note="torch differs from Pillow by one grey level (0.018 after normalisation) in a few of 1,000 values.",
)

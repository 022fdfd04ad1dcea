"""Model inputs: square frames and, around each, a segment of log-mel spectrogram.

In: a `Clip`, or its frames and sound. Out: a `ModelInput`, or normalised frames and segments.

    config.py        InputConfig: sizes, alignment, normalisation
    frames.py        frames of any size to square frames; their normalisation
    spectrogram.py   waveform to log-mel spectrogram; its normalisation
    alignment.py     the span of spectrogram that belongs to each frame, and cutting it out
    lag.py           how far frames lie from the middle of their segments
    model_input.py   all of this for a clip
    augment.py       random changes of a training pair, from augment_frames.py and augment_segments.py
    mixup.py         two clips blended into one
    invert.py        spectrogram back to sound
    arrays.py        NumPy arrays to tensors
"""

from cavmae_sync.inputs.alignment import Span, cut_segments, segment_spans
from cavmae_sync.inputs.config import InputConfig
from cavmae_sync.inputs.frames import normalize_frames, resize_and_crop
from cavmae_sync.inputs.model_input import ModelInput, model_input
from cavmae_sync.inputs.spectrogram import log_mel, normalize_spectrogram

__all__ = [
    "InputConfig",
    "ModelInput",
    "Span",
    "cut_segments",
    "log_mel",
    "model_input",
    "normalize_frames",
    "normalize_spectrogram",
    "resize_and_crop",
    "segment_spans",
]

"""A clip becomes what the model eats: square frames and the stretch of log-mel spectrogram around each."""

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

"""Models and inputs that several parts share. Speed does not depend on weights, so they are random."""

import torch
from torch import Tensor

from benchmarks.part import Setting
from cavmae_sync.inputs import cut_segments
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES, NUM_MELS
from cavmae_sync.recipes.demo.config import DemoConfig, demo_pretraining
from cavmae_sync.training import LoopConfig, OptimConfig, PretrainConfig

_SPECTROGRAM_FRAMES = 998  # of ten seconds


def base_training(batch_size: int) -> PretrainConfig:
    """The published model, compared within its batch."""
    return PretrainConfig(
        losses=LossConfig(contrast=ContrastConfig(negatives="local")), loop=LoopConfig(batch_size=batch_size)
    )


def small_training(batch_size: int) -> PretrainConfig:
    """The demo's model; gradients are not clipped, as in the published recipe."""
    config = demo_pretraining(DemoConfig(), num_steps=100, batch_size=batch_size)
    return config.model_copy(update={"optim": OptimConfig(learning_rate=1e-3)})


def base_model(setting: Setting) -> ModelConfig:
    """The published model; a quick run takes the small one."""
    return setting.pick(ModelConfig(), small_training(8).model)


def fresh(config: ModelConfig, setting: Setting) -> CAVMAESync:
    """A model with random weights, the same at every call."""
    model = CAVMAESync(config, generator=torch.Generator().manual_seed(0))
    return model.to(setting.device)


def clip_inputs(config: ModelConfig, *, num_frames: int = NUM_FRAMES) -> tuple[Tensor, Tensor]:
    """Frames and segments of one clip: noise, cut into windows as the sound of ten seconds is."""
    generator = torch.Generator().manual_seed(1)
    side = config.inputs.frame_pixels
    frames = torch.randn(num_frames, 3, side, side, generator=generator)
    sound = torch.randn(_SPECTROGRAM_FRAMES, NUM_MELS, generator=generator) * 3 - 5
    times = [CLIP_SECONDS * frame / num_frames for frame in range(num_frames)]
    segments = cut_segments(sound, frame_seconds=times, config=config.inputs)
    return frames, segments


def num_windows(segments: Tensor) -> int:
    """Number of windows that differ from the one before."""
    return 1 + int((segments[1:] != segments[:-1]).flatten(1).any(dim=1).sum())

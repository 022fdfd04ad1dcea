"""One pretraining step as in a textbook: every patch is decoded and predicted, a plain Adam follows."""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.textbook.model import PATCH, TextbookModel
from cavmae_sync.training import PretrainConfig


def losses(
    model: TextbookModel,
    segments: Tensor,
    frames: Tensor,
    *,
    audio_keep: Tensor,
    visual_keep: Tensor,
    config: PretrainConfig,
) -> Tensor:
    """The total loss of a masked pass over a batch of pairs."""
    inputs = segments.transpose(1, 2)[:, None]
    audio, visual = model.audio(inputs, audio_keep), model.visual(frames, visual_keep)
    together = model.joint(torch.cat([audio[:, 1:], visual[:, 1:]], dim=1))
    split = audio_keep.shape[1]
    assert model.decoder is not None
    predicted_audio, predicted_visual = model.decoder(
        together[:, :split], together[:, split:], audio_keep, visual_keep
    )
    reconstruction = _reconstruction(predicted_audio, inputs, audio_keep, config) + _reconstruction(
        predicted_visual, frames, visual_keep, config
    )
    contrast = _contrast(model.joint(audio, "_a")[:, 0], model.joint(visual, "_v")[:, 0], config)
    return config.losses.reconstruction_weight * reconstruction + config.losses.contrastive_weight * contrast


def step(
    model: TextbookModel,
    optimizer: torch.optim.Optimizer,
    segments: Tensor,
    frames: Tensor,
    *,
    audio_keep: Tensor,
    visual_keep: Tensor,
    config: PretrainConfig,
) -> float:
    """Forward, backward, update. Returns the loss."""
    optimizer.zero_grad()
    loss = losses(model, segments, frames, audio_keep=audio_keep, visual_keep=visual_keep, config=config)
    loss.backward()
    optimizer.step()
    return loss.item()


def plain_adam(model: TextbookModel, config: PretrainConfig) -> torch.optim.Optimizer:
    """Adam with the settings of the run, as a framework makes it by default."""
    optim = config.optim
    return torch.optim.Adam(
        model.parameters(), lr=optim.learning_rate, betas=optim.betas, weight_decay=optim.weight_decay
    )


def _patches(inputs: Tensor) -> Tensor:
    count, channels, height, width = inputs.shape
    rows, columns = height // PATCH, width // PATCH
    grid = inputs.reshape(count, channels, rows, PATCH, columns, PATCH)
    return torch.einsum("bcrpsq->brspqc", grid).reshape(count, rows * columns, PATCH * PATCH * channels)


def _reconstruction(predicted: Tensor, inputs: Tensor, keep: Tensor, config: PretrainConfig) -> Tensor:
    target = _patches(inputs)
    if config.losses.normalize_pixels:
        target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    error = (predicted - target).square().mean(dim=-1)
    hidden = torch.ones_like(error).scatter(1, keep, 0.0)
    return (error * hidden).sum() / hidden.sum()


def _contrast(audio: Tensor, visual: Tensor, config: PretrainConfig) -> Tensor:
    """Within the batch: what benchmarks and tests run."""
    contrast = config.losses.contrast
    if contrast.negatives != "local" or contrast.representation != "global":
        raise ValueError("the textbook step compares global tokens within the batch")
    logits = F.normalize(visual, dim=-1) @ F.normalize(audio, dim=-1).T / contrast.temperature
    own = torch.arange(len(logits), device=logits.device)
    loss = F.cross_entropy(logits, own)
    if contrast.direction == "both":
        loss = (loss + F.cross_entropy(logits.T, own)) / 2
    return loss

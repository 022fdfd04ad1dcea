"""Floating point operations that a model needs: linear layers, attention and patch embedding.

A multiplication and an addition are two operations. Norms, softmax, GELU and additions are left out, as is
usual: they are below 1 % and bound by memory.
"""

from cavmae_sync.model.block import Modality
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.encoder import CHANNELS
from cavmae_sync.paper import PATCH_SIZE

#: A backward pass multiplies twice for each product of the forward pass: for the inputs and for the weights.
_PASSES_PER_STEP = 3


def block_flops(num_tokens: int, *, width: int, mlp_ratio: int, num_queries: int | None = None) -> int:
    """Operations of one transformer block.

    Args:
        num_tokens: Tokens that keys and values come from.
        width: Width of a token.
        mlp_ratio: Hidden width of the perceptron over `width`.
        num_queries: Tokens whose result is read; all unless given.
    """
    queries = num_tokens if num_queries is None else num_queries
    keys_and_values = 2 * num_tokens * width**2
    queries_and_projection = 2 * queries * width**2
    perceptron = 2 * mlp_ratio * queries * width**2
    attention = 2 * queries * num_tokens * width
    return 2 * (keys_and_values + queries_and_projection + perceptron + attention)


def embedding_flops(
    config: ModelConfig, *, num_frames: int, num_segments: int, with_patches: bool = False
) -> int:
    """Operations that embedding a clip needs.

    Args:
        config: Shape of the model.
        num_frames: Frames that are encoded; equal neighbours count once.
        num_segments: Segments that are encoded; equal neighbours count once.
        with_patches: Whether patch vectors are computed too; else the last block computes one token.
    """
    return sum(
        count * _alone(config, modality, with_patches=with_patches or not config.global_token)
        for modality, count in (("audio", num_segments), ("visual", num_frames))
    )


def pretraining_flops(
    config: ModelConfig,
    *,
    mask_ratio: float,
    contrastive_mask_ratio: float | None = None,
    reconstruct_every: int = 1,
    only_wanted: bool = True,
) -> int:
    """Operations of one pretraining step for one (frame, segment) pair, forwards and backwards.

    Args:
        config: Shape of a model with a decoder.
        mask_ratio: Fraction hidden in both modalities.
        contrastive_mask_ratio: Fraction hidden in a second pass for the contrast; None without one.
        reconstruct_every: One of so many pairs is reconstructed; the result is a mean over pairs.
        only_wanted: Leave out what no loss reads: hidden patches before the encoder, predictions of visible
            ones, aligned patch tokens where there are global tokens. False counts the published code.

    Raises:
        ValueError: The model has no decoder.
    """
    if config.decoder is None:
        raise ValueError("a model without a decoder cannot be pretrained.")
    all_patches = {name: _num_patches(config, name) for name in CHANNELS}
    kept = {name: int(count * (1 - mask_ratio)) for name, count in all_patches.items()}
    encoded = sum(
        _embed(config, name, kept[name] if only_wanted else all_patches[name]) + _trunk(config, kept[name])
        for name in CHANNELS
    )
    compared = kept
    if contrastive_mask_ratio is not None:
        compared = {name: int(count * (1 - contrastive_mask_ratio)) for name, count in all_patches.items()}
        encoded = encoded / reconstruct_every + sum(
            _embed(config, name, compared[name]) + _trunk(config, compared[name]) for name in CHANNELS
        )
    with_patches = not (only_wanted and config.global_token)
    aligned = sum(_align(config, compared[name], with_patches=with_patches) for name in CHANNELS)
    decoded = _reconstruct(config, all_patches, kept, only_wanted=only_wanted)
    return _PASSES_PER_STEP * round(encoded + aligned + decoded / reconstruct_every)


def _reconstruct(
    config: ModelConfig, all_patches: dict[Modality, int], kept: dict[Modality, int], *, only_wanted: bool
) -> int:
    """Operations of the joint layer and the decoder, forwards."""
    decoder = config.decoder
    assert decoder is not None
    hidden = {name: all_patches[name] - kept[name] if only_wanted else all_patches[name] for name in CHANNELS}
    in_joint = config.registers if config.registers_in_joint else 0
    num_fused = sum(kept.values()) + 2 * in_joint
    forward = config.joint_depth * block_flops(num_fused, width=config.width, mlp_ratio=config.mlp_ratio)
    forward += 2 * sum(kept.values()) * config.width * decoder.width
    shape = {"width": decoder.width, "mlp_ratio": config.mlp_ratio}
    num_all = sum(all_patches.values())
    forward += (decoder.depth - 1) * block_flops(num_all, **shape)
    forward += block_flops(num_all, num_queries=sum(hidden.values()), **shape)
    return forward + sum(
        2 * hidden[name] * decoder.width * PATCH_SIZE**2 * CHANNELS[name] for name in CHANNELS
    )


def _alone(config: ModelConfig, modality: Modality, *, with_patches: bool) -> int:
    count = _num_patches(config, modality)
    return (
        _embed(config, modality, count)
        + _trunk(config, count)
        + _align(config, count, with_patches=with_patches)
    )


def _embed(config: ModelConfig, modality: Modality, num_patches: int) -> int:
    return 2 * num_patches * config.width * PATCH_SIZE**2 * CHANNELS[modality]


def _trunk(config: ModelConfig, num_patches: int) -> int:
    tokens = int(config.global_token) + num_patches + config.registers
    return config.depth * block_flops(tokens, width=config.width, mlp_ratio=config.mlp_ratio)


def _align(config: ModelConfig, num_patches: int, *, with_patches: bool) -> int:
    in_joint = config.registers if config.registers_in_joint else 0
    tokens = int(config.global_token) + num_patches + in_joint
    shape = {"width": config.width, "mlp_ratio": config.mlp_ratio}
    depth = config.joint_depth + config.contrastive_head_depth
    return (depth - 1) * block_flops(tokens, **shape) + block_flops(
        tokens, num_queries=None if with_patches else 1, **shape
    )


def _num_patches(config: ModelConfig, modality: Modality) -> int:
    rows, columns = config.audio_grid if modality == "audio" else config.visual_grid
    return rows * columns

"""Floating point operations that are needed, a product and a sum counted as two; equal windows once."""

from cavmae_sync.model import ModelConfig
from cavmae_sync.paper import NUM_MELS, PATCH_SIZE


def block(tokens: int, *, width: int, ratio: int) -> int:
    """One transformer block over a row of tokens."""
    return 2 * tokens * width * width * (4 + 2 * ratio) + 4 * tokens * tokens * width


def features(config: ModelConfig, *, num_frames: int, num_windows: int) -> int:
    """Global tokens of frames and of distinct windows of sound."""
    audio, visual = (_patches(grid) for grid in (config.audio_grid, config.visual_grid))
    return num_windows * _encoding(config, audio, PATCH_SIZE**2) + num_frames * _encoding(
        config, visual, 3 * PATCH_SIZE**2
    )


def training_step(config: ModelConfig, *, num_pairs: int, mask_ratio: float) -> int:
    """Forward and backward: three times the forward pass, without gradients of the inputs."""
    assert config.decoder is not None
    audio, visual = (_patches(grid) for grid in (config.audio_grid, config.visual_grid))
    kept_audio, kept_visual = (int(count * (1 - mask_ratio)) for count in (audio, visual))
    width, ratio, registers = config.width, config.mlp_ratio, config.registers
    decoder = config.decoder
    embed = 2 * PATCH_SIZE**2 * width * (kept_audio + 3 * kept_visual)
    forward = sum(
        config.depth * block(1 + kept + registers, width=width, ratio=ratio)
        + config.joint_depth * block(1 + kept, width=width, ratio=ratio)
        for kept in (kept_audio, kept_visual)
    )
    forward += config.joint_depth * block(kept_audio + kept_visual, width=width, ratio=ratio)
    forward += 2 * (kept_audio + kept_visual) * width * decoder.width
    forward += decoder.depth * block(audio + visual, width=decoder.width, ratio=ratio)
    hidden = (audio - kept_audio) + 3 * (visual - kept_visual)
    forward += 2 * hidden * decoder.width * PATCH_SIZE**2
    return num_pairs * (3 * forward + 2 * embed)


def _encoding(config: ModelConfig, patches: int, values: int) -> int:
    tokens = 1 + patches + config.registers
    return (
        2 * patches * values * config.width
        + config.depth * block(tokens, width=config.width, ratio=config.mlp_ratio)
        + config.joint_depth * block(1 + patches, width=config.width, ratio=config.mlp_ratio)
    )


def _patches(grid: tuple[int, int]) -> int:
    return grid[0] * grid[1]


def spectrogram(num_windows: int) -> int:
    """The product of a power spectrum with the mel filters."""
    return 2 * num_windows * 257 * NUM_MELS

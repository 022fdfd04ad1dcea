"""Floating point operations that are needed, a product and a sum counted as two.

Counted once: equal windows. Not counted: what nothing reads, that is patches behind the last joint block,
visible patches behind the last block of the decoder, and all that is not a product of matrices.
"""

from cavmae_sync.model import ModelConfig
from cavmae_sync.paper import PATCH_SIZE


def block(tokens: int, *, width: int, ratio: int, asked: int | None = None) -> int:
    """One transformer block over a row of tokens, of which only `asked` are read afterwards."""
    asked = tokens if asked is None else asked
    keys_and_values, rest = 4 * tokens * width * width, asked * width * width * (4 + 4 * ratio)
    return keys_and_values + rest + 4 * asked * tokens * width


def aligned(config: ModelConfig, tokens: int) -> int:
    """A sense alone through the joint layer, of which the global token is read."""
    size = {"width": config.width, "ratio": config.mlp_ratio}
    return (config.joint_depth - 1) * block(tokens, **size) + block(tokens, **size, asked=1)


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
        config.depth * block(1 + kept + registers, width=width, ratio=ratio) + aligned(config, 1 + kept)
        for kept in (kept_audio, kept_visual)
    )
    forward += config.joint_depth * block(kept_audio + kept_visual, width=width, ratio=ratio)
    forward += 2 * (kept_audio + kept_visual) * width * decoder.width
    hidden_audio, hidden_visual = audio - kept_audio, visual - kept_visual
    size = {"width": decoder.width, "ratio": ratio}
    forward += (decoder.depth - 1) * block(audio + visual, **size)
    forward += block(audio + visual, **size, asked=hidden_audio + hidden_visual)
    forward += 2 * (hidden_audio + 3 * hidden_visual) * decoder.width * PATCH_SIZE**2
    return num_pairs * (3 * forward + 2 * embed)


def _encoding(config: ModelConfig, patches: int, values: int) -> int:
    tokens = 1 + patches + config.registers
    return (
        2 * patches * values * config.width
        + config.depth * block(tokens, width=config.width, ratio=config.mlp_ratio)
        + aligned(config, 1 + patches)
    )


def _patches(grid: tuple[int, int]) -> int:
    return grid[0] * grid[1]

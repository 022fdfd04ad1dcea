"""Pretraining weights of the authors: read into our configuration and tensors, and written again."""

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.paper import CONTRASTIVE_HEAD_DEPTH, NUM_MELS, PATCH_SIZE
from cavmae_sync.weights.layouts.check import FLOAT_TYPES, check_names, heads_of
from cavmae_sync.weights.layouts.official_names import (
    depth_of,
    our_tensors,
    position_tables,
    their_shapes,
    their_tensors,
)
from cavmae_sync.weights.layouts.recognize import PREFIX, bare_name, recognize

#: Largest distance of a stored table from the computed one, by type: last bits may differ, not more.
_TABLE_TOLERANCE: Final = {torch.float16: 1e-3, torch.bfloat16: 1e-2}


def from_official(
    state: Mapping[str, Tensor], *, config: ModelConfig | None = None, overrides: Sequence[str] = ()
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Configuration, and tensors by our names, from tensors in the authors' layout.

    Args:
        state: Tensors with or without the `module.` prefix.
        config: Shape of the model; None reads it from the tensors, with the published numbers of heads.
        overrides: `key=value` words for what no tensor shows, applied to what was read.

    Raises:
        WeightsError: It is not the authors' layout, names or shapes differ from its model's, or its position
            tables are not the fixed ones.
    """
    layout = recognize(state)
    theirs = without_prefixes(state)
    config = config or read_config(theirs, overrides)
    check_names(theirs, their_shapes(config), layout=layout)
    check_tables(theirs, config)
    return config, {name: value.float() for name, value in our_tensors(theirs, config).items()}


def to_official(model: CAVMAESync) -> dict[str, Tensor]:
    """Tensors of a model in the authors' layout, with the norms and tables that their files store."""
    theirs = their_tensors(model.state_dict(), model.config)
    return {PREFIX + name: value.detach().cpu().clone() for name, value in theirs.items()}


def without_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by their names without prefix; see `bare_name`.

    Raises:
        WeightsError: A tensor holds no floating-point numbers of 16, 32 or 64 bits, or two have one name.
    """
    if odd := [f"{name} ({value.dtype})" for name, value in state.items() if value.dtype not in FLOAT_TYPES]:
        raise WeightsError(
            f"{', '.join(odd[:4])} hold no floating-point numbers of 16, 32 or 64 bits. "
            "Save the weights anew."
        )
    found = {bare_name(name): value for name, value in state.items()}
    if len(found) < len(state):
        names = [bare_name(name) for name in state]
        twice = next(name for name in found if names.count(name) > 1)
        raise WeightsError(f"{twice} is there more than once. Two checkpoints were mixed; take one.")
    return found


def read_config(theirs: Mapping[str, Tensor], overrides: Sequence[str] = ()) -> ModelConfig:
    """Configuration that the names and shapes of the authors' tensors show, with words applied.

    Raises:
        WeightsError: A tensor that shows it is missing or has an odd shape; or a number of heads
            is neither that of a published model nor among the words.
        ConfigError: A word does not fit.
    """
    side = _side(theirs, "pos_embed_v")
    audio_patches, width = _shape(theirs, "pos_embed_a", 3)[1:]
    contrastive = depth_of(theirs, "constrative_head_audio")
    if contrastive not in (0, CONTRASTIVE_HEAD_DEPTH):
        raise WeightsError(
            f"contrastive heads of {contrastive} blocks; the authors' have {CONTRASTIVE_HEAD_DEPTH}"
        )
    decoder_width = None
    if any(name.startswith("decoder_") for name in theirs):
        decoder_width = _shape(theirs, "decoder_pos_embed_a", 3)[2]
    heads, decoder_heads = heads_of(width, decoder_width, overrides)
    registers = _shape(theirs, "register_tokens", 2)[0] // 2 if "register_tokens" in theirs else 0
    config = ModelConfig(
        inputs=InputConfig(
            frame_pixels=side * PATCH_SIZE,
            segment_length=audio_patches // (NUM_MELS // PATCH_SIZE) * PATCH_SIZE,
        ),
        width=width,
        depth=depth_of(theirs, "blocks_a"),
        joint_depth=depth_of(theirs, "blocks_u"),
        heads=heads,
        mlp_ratio=_shape(theirs, "blocks_a.0.mlp.fc1.weight", 2)[0] // width,
        global_token="cls_token_a" in theirs,
        registers=registers,
        contrastive_head_depth=contrastive,
        decoder=None
        if decoder_width is None or decoder_heads is None
        else DecoderConfig(
            width=decoder_width, depth=depth_of(theirs, "decoder_blocks"), heads=decoder_heads
        ),
    )
    return config.with_overrides(overrides)


def learned_tables(theirs: Mapping[str, Tensor], config: ModelConfig) -> list[str]:
    """Names of the position tables that are not the fixed sine-cosine tables."""
    return [
        name
        for name, table in position_tables(config).items()
        if not torch.allclose(
            theirs[name].float(), table, atol=_TABLE_TOLERANCE.get(theirs[name].dtype, 1e-5), rtol=0
        )
    ]


def check_tables(theirs: Mapping[str, Tensor], config: ModelConfig) -> None:
    """Refuse position tables that a model without learned positions would not compute.

    Raises:
        WeightsError: A table differs from the fixed one.
    """
    if not config.learned_positions and (learned := learned_tables(theirs, config)):
        raise WeightsError(
            f"{learned[0]} {tuple(theirs[learned[0]].shape)} is not the fixed sine-cosine table, which the "
            "method never trains: the weights are damaged, or were trained in another way. To use the tables "
            "as they are, give learned_positions=true."
        )


def _side(theirs: Mapping[str, Tensor], name: str) -> int:
    count = _shape(theirs, name, 3)[1]
    side = round(count**0.5)
    if side * side != count:
        raise WeightsError(f"{name} has {count} places, which do not make a square of patches.")
    return side


def _shape(theirs: Mapping[str, Tensor], name: str, num_axes: int) -> torch.Size:
    if name not in theirs:
        raise WeightsError(
            f"these are not complete CAV-MAE weights: no {name} among {len(theirs)} tensors. Without it the "
            "shape of the model cannot be read."
        )
    if (shape := theirs[name].shape) and len(shape) == num_axes and 0 not in shape:
        return shape
    raise WeightsError(f"{name} has shape {tuple(shape)}; {num_axes} axes are needed.")

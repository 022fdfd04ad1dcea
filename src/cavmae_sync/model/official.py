"""The authors' key layout: exact conversion both ways, and the ImageNet MAE start.

The authors build three pairs of norms in every block and use one, except in the joint layer. We do not
build the others; reading drops exactly those, writing gives them back as 1 and 0.
"""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.model.positions import sine_cosine_positions
from cavmae_sync.paper import CONTRASTIVE_HEAD_DEPTH, ENCODER_DEPTH, NUM_MELS, PATCH_SIZE

PREFIX = "module."

#: Ours -> theirs, for the first matching start of a key. Order matters.
_STARTS: tuple[tuple[str, str], ...] = (
    ("audio.patch_embed.", "patch_embed_a."),
    ("visual.patch_embed.", "patch_embed_v."),
    ("audio.blocks.", "blocks_a."),
    ("visual.blocks.", "blocks_v."),
    ("joint.blocks.", "blocks_u."),
    ("joint.norm", "norm"),
    ("joint.head_a.", "constrative_head_audio."),
    ("joint.head_v.", "constrative_head_visual."),
    ("decoder.embed.", "decoder_embed."),
    ("decoder.blocks.", "decoder_blocks."),
    ("decoder.norm.", "decoder_norm."),
    ("decoder.predict_a.", "decoder_pred_a."),
    ("decoder.predict_v.", "decoder_pred_v."),
)

#: Ours -> theirs for single tokens, which they store as [1, 1, D].
_TOKENS: dict[str, str] = {
    "audio.modality": "modality_a",
    "visual.modality": "modality_v",
    "audio.global_token": "cls_token_a",
    "visual.global_token": "cls_token_v",
    "decoder.mask_token": "mask_token",
    "decoder.modality_a": "decoder_modality_a",
    "decoder.modality_v": "decoder_modality_v",
}

_UNUSED_NORM = re.compile(
    r"(blocks_a|blocks_v|decoder_blocks|constrative_head_audio|constrative_head_visual)\.\d+\.norm[12]_[av]\."
)
_POSITIONS = ("pos_embed_a", "pos_embed_v", "decoder_pos_embed_a", "decoder_pos_embed_v")


def from_official(
    state: Mapping[str, Tensor], *, config: ModelConfig | None = None
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Our configuration and tensors from a state in the authors' layout.

    Args:
        state: Keys with or without the `module.` prefix.
        config: Shape of the model; None reads it off the tensors, with 64-wide heads (ViT) and 32-wide
            decoder heads.

    Raises:
        WeightsError: It is not the authors' layout, or its position tables are not the fixed ones.
    """
    theirs = {key.removeprefix(PREFIX): value.float() for key, value in state.items()}
    if missing := sorted({*_POSITIONS, "blocks_u.0.norm1_a.weight"} - theirs.keys()):
        raise WeightsError(
            f"these are not CAV-MAE pretraining weights: no {', '.join(missing)} among {len(theirs)} tensors"
        )
    config = config or _read_config(theirs)
    _check_positions(theirs, config)
    ours: dict[str, Tensor] = {}
    for key, value in theirs.items():
        if key in _POSITIONS or _UNUSED_NORM.match(key):
            continue
        if key == "register_tokens":
            ours["audio.registers"], ours["visual.registers"] = value.clone().chunk(2)
        else:
            ours[_our_name(key)] = value.reshape(-1) if key in _TOKENS.values() else value
    return config, ours


def to_official(model: CAVMAESync) -> dict[str, Tensor]:
    """The model's tensors in the authors' layout, with the norms and tables that they store and never use."""
    ours = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    theirs: dict[str, Tensor] = dict(_position_tables(model.config))
    for name, value in ours.items():
        if name in _TOKENS:
            theirs[_TOKENS[name]] = value.view(1, 1, -1)
        elif not name.endswith(".registers"):
            theirs[_their_name(name)] = value
    if model.config.registers:
        theirs["register_tokens"] = torch.cat([ours["audio.registers"], ours["visual.registers"]])
    for key, value in list(theirs.items()):
        if match := re.fullmatch(r"(.+\.norm[12])\.(weight|bias)", key):
            for suffix in ("_a", "_v"):
                unused = f"{match[1]}{suffix}.{match[2]}"
                if _UNUSED_NORM.match(unused):
                    theirs[unused] = torch.full_like(value, 1.0 if match[2] == "weight" else 0.0)
    return {PREFIX + key: value.clone() for key, value in theirs.items()}


def from_mae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An ImageNet MAE ViT checkpoint (with decoder) in our names.

    Both encoders start from its first 11 blocks, the joint layer from its 12th.

    Absent from the result, hence fresh in a model: modality codes, global tokens, registers, heads.

    Raises:
        WeightsError: It is not a full MAE checkpoint of 12 encoder blocks with decoder.

    Source:
        Spec 3.5. The audio filters are the sum (not the mean) of the RGB filters, so that a grey picture
        gives the same tokens; the audio prediction takes the first 256 of 768 rows, as published.
    """
    needed = {"patch_embed.proj.weight", "decoder_pred.weight", f"blocks.{ENCODER_DEPTH}.norm1.weight"}
    if missing := sorted(needed - state.keys()):
        raise WeightsError(f"not a full MAE checkpoint with decoder: {', '.join(missing)} missing")
    if (depth := _depth(state, "blocks")) != ENCODER_DEPTH + 1:
        raise WeightsError(f"an MAE checkpoint of {depth} blocks; ViT-B with {ENCODER_DEPTH + 1} is needed")
    return {name: value.float().clone() for key in state for name, value in _mae_targets(key, state[key])}


def _mae_targets(key: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    parts = key.split(".")
    if parts[0] == "blocks" and int(parts[1]) < ENCODER_DEPTH:
        yield from ((f"{side}.{key}", value) for side in ("audio", "visual"))
    elif parts[0] == "blocks":
        rest = ".".join(parts[2:])
        suffixes = ("", "_a", "_v") if parts[2] in ("norm1", "norm2") else ("",)
        yield from ((f"joint.blocks.0.{rest.replace(parts[2], parts[2] + s, 1)}", value) for s in suffixes)
    elif parts[0] == "norm":
        yield from ((f"joint.norm{suffix}.{parts[1]}", value) for suffix in ("", "_a", "_v"))
    elif parts[0] == "patch_embed":
        yield f"visual.{key}", value
        yield f"audio.{key}", value.sum(dim=1, keepdim=True) if parts[2] == "weight" else value
    elif parts[0] == "decoder_pred":
        yield f"decoder.predict_v.{parts[1]}", value
        yield f"decoder.predict_a.{parts[1]}", value[: PATCH_SIZE**2]
    elif parts[0] == "mask_token":
        yield "decoder.mask_token", value.reshape(-1)
    elif parts[0] in ("decoder_embed", "decoder_blocks", "decoder_norm"):
        yield _our_name(key), value
    elif key not in ("cls_token", "pos_embed", "decoder_pos_embed"):
        raise WeightsError(f"unknown tensor {key!r} in an MAE checkpoint")


def _our_name(key: str) -> str:
    for ours, theirs in _TOKENS.items():
        if key == theirs:
            return ours
    for ours, theirs in _STARTS:
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key


def _their_name(name: str) -> str:
    for ours, theirs in _STARTS:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    raise KeyError(name)


def _read_config(theirs: Mapping[str, Tensor]) -> ModelConfig:
    width = theirs["pos_embed_a"].shape[-1]
    decoder_width = theirs["decoder_pos_embed_a"].shape[-1]
    if width % 64 or decoder_width % 32:
        raise WeightsError(
            f"widths {width} and {decoder_width} are not multiples of 64 and 32, so the number of attention "
            "heads cannot be guessed. Pass config=ModelConfig(...)."
        )
    side = round(theirs["pos_embed_v"].shape[1] ** 0.5)
    rows = NUM_MELS // PATCH_SIZE
    heads = _depth(theirs, "constrative_head_audio")
    if heads not in (0, CONTRASTIVE_HEAD_DEPTH):
        raise WeightsError(f"contrastive heads of {heads} blocks; the authors' have {CONTRASTIVE_HEAD_DEPTH}")
    return ModelConfig(
        inputs=InputConfig(
            frame_pixels=side * PATCH_SIZE,
            segment_length=theirs["pos_embed_a"].shape[1] // rows * PATCH_SIZE,
        ),
        width=width,
        depth=_depth(theirs, "blocks_a"),
        joint_depth=_depth(theirs, "blocks_u"),
        heads=width // 64,
        global_token="cls_token_a" in theirs,
        registers=len(theirs["register_tokens"]) // 2 if "register_tokens" in theirs else 0,
        contrastive_head_depth=heads,
        decoder=DecoderConfig(
            width=decoder_width, depth=_depth(theirs, "decoder_blocks"), heads=decoder_width // 32
        ),
    )


def _depth(theirs: Mapping[str, Tensor], stack: str) -> int:
    return len({key.split(".")[1] for key in theirs if key.startswith(f"{stack}.")})


def _position_tables(config: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    for side, grid in (("a", config.audio_grid), ("v", config.visual_grid)):
        yield f"pos_embed_{side}", sine_cosine_positions(config.width, grid).unsqueeze(0)
        if config.decoder is not None:
            yield (
                f"decoder_pos_embed_{side}",
                sine_cosine_positions(config.decoder.width, grid).unsqueeze(0),
            )


def _check_positions(theirs: Mapping[str, Tensor], config: ModelConfig) -> None:
    for key, table in _position_tables(config):
        if theirs[key].shape != table.shape or not torch.allclose(theirs[key], table, atol=1e-5):
            raise WeightsError(
                f"{key} {tuple(theirs[key].shape)} is not the fixed sine-cosine table {tuple(table.shape)}; "
                "weights with learned positions or for another segment length do not fit this model"
            )

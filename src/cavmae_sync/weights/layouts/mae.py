"""An ImageNet MAE (ViT) as the start of a model: in its published names, timm's or Hugging Face's.

Both encoders start from its first 11 blocks, the joint layer from its 12th. The audio filters are the sum
(not the mean) of the RGB filters: a grey image then gives the same tokens through both. The audio
prediction takes the first 256 of 768 rows, as published; rows are ordered by pixel, then colour, so this
is an arbitrary slice and no grey image.

Source: the file `ori_mae_11.pth` of CAV-MAE, an ImageNet MAE in the authors' names.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from cavmae_sync.choices import Layout
from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.model.positions import sine_cosine_positions
from cavmae_sync.paper import ENCODER_DEPTH, PATCH_SIZE
from cavmae_sync.weights.layouts.check import MAE_HEADS, check_names, heads_of
from cavmae_sync.weights.layouts.huggingface import from_huggingface
from cavmae_sync.weights.layouts.official import without_prefixes
from cavmae_sync.weights.layouts.official_names import depth_of, our_name
from cavmae_sync.weights.layouts.recognize import recognize

_CHANNELS = 3


def from_mae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of an ImageNet MAE ViT by our names.

    Not in the result, so fresh in a model: modality codes, global tokens, registers, heads, and the
    decoder where the checkpoint has none.

    Args:
        state: With or without decoder, in published, timm's or Hugging Face's names.

    Raises:
        WeightsError: It is not exactly an MAE checkpoint of 12 encoder blocks.
    """
    published = published_names(state)
    return {
        ours: value.float().clone() for name in published for ours, value in _targets(name, published[name])
    }


def mae_config(state: Mapping[str, Tensor], overrides: Sequence[str] = ()) -> ModelConfig:
    """Configuration of the published model (4 s segments, global tokens, 8 registers) with an MAE's sizes.

    Raises:
        WeightsError: It is no MAE checkpoint, or its number of heads is not known.
        ConfigError: A word does not fit.
    """
    published = published_names(state)
    width = published["pos_embed"].shape[2]
    decoder_width = (
        published["decoder_embed.weight"].shape[0] if "decoder_embed.weight" in published else None
    )
    heads, decoder_heads = heads_of(width, decoder_width, overrides, published=MAE_HEADS)
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=_side(published["pos_embed"]) * PATCH_SIZE),
        width=width,
        heads=heads,
        mlp_ratio=published["blocks.0.mlp.fc1.weight"].shape[0] // width,
        decoder=None
        if decoder_width is None or decoder_heads is None
        else DecoderConfig(
            width=decoder_width, depth=depth_of(published, "decoder_blocks"), heads=decoder_heads
        ),
    )
    return config.with_overrides(overrides)


def published_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of an MAE by their published names, checked to be exactly those of one.

    Raises:
        WeightsError: Names are missing or unknown, shapes or types differ, or positions were trained.
    """
    layout = recognize(state)
    if layout not in ("mae", "timm", "huggingface"):
        raise WeightsError(f"these weights are not those of an ImageNet MAE but of {layout}")
    theirs = without_prefixes(state)
    published = (
        from_huggingface(theirs)
        if layout == "huggingface"
        else {
            f"norm.{name.removeprefix('fc_norm.')}" if name.startswith("fc_norm.") else name: value
            for name, value in theirs.items()
        }
    )
    check_names(published, _shapes(published), layout=layout)
    for name in ("pos_embed", "decoder_pos_embed"):
        if name in published:
            _check_table(published[name], name)
    return published


def to_published(model: CAVMAESync) -> dict[str, Tensor]:
    """Tensors of an MAE that a model started from, by published names.

    They are exact for weights that were read from one. After training they are the visual side of the model.
    """
    found: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if published := _origin(name, joint=model.config.depth):
            found[published] = value
    for name in ("pos_embed", "decoder_pos_embed"):
        width = model.config.width if name == "pos_embed" else _decoder_width(model.config)
        if width is not None:
            table_ND = sine_cosine_positions(width, model.config.visual_grid)
            found[name] = torch.cat([torch.zeros(1, width), table_ND]).unsqueeze(0)
    if "mask_token" in found:
        found["mask_token"] = found["mask_token"].view(1, 1, -1)
    return found


def _decoder_width(config: ModelConfig) -> int | None:
    return None if config.decoder is None else config.decoder.width


def _origin(ours: str, *, joint: int) -> str | None:
    """Published name of one of our tensors; None for one that an MAE does not have."""
    parts = ours.split(".")
    if parts[0] == "visual" and parts[1] in ("blocks", "patch_embed"):
        return ours.removeprefix("visual.")
    if ours.startswith("joint.blocks.0.") and parts[3] in ("norm1", "norm2", "attn", "mlp"):
        return f"blocks.{joint}.{'.'.join(parts[3:])}"
    if ours.startswith("joint.norm."):
        return ours.removeprefix("joint.")
    if ours.startswith("decoder.predict_v."):
        return f"decoder_pred.{parts[-1]}"
    if parts[0] == "decoder" and parts[1] in ("embed", "blocks", "norm"):
        return ours.replace("decoder.", "decoder_", 1)
    return "mask_token" if ours == "decoder.mask_token" else None


def _targets(name: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    parts = name.split(".")
    if parts[0] == "blocks" and int(parts[1]) < ENCODER_DEPTH:
        yield from ((f"{side}.{name}", value) for side in ("audio", "visual"))
    elif parts[0] == "blocks":
        rest = ".".join(parts[2:])
        suffixes = ("", "_a", "_v") if parts[2] in ("norm1", "norm2") else ("",)
        yield from ((f"joint.blocks.0.{rest.replace(parts[2], parts[2] + s, 1)}", value) for s in suffixes)
    elif parts[0] == "norm":
        yield from ((f"joint.norm{suffix}.{parts[1]}", value) for suffix in ("", "_a", "_v"))
    elif parts[0] == "patch_embed":
        yield f"visual.{name}", value
        yield f"audio.{name}", value.sum(dim=1, keepdim=True) if parts[2] == "weight" else value
    elif parts[0] == "decoder_pred":
        yield f"decoder.predict_v.{parts[1]}", value
        yield f"decoder.predict_a.{parts[1]}", value[: PATCH_SIZE**2]
    elif parts[0] == "mask_token":
        yield "decoder.mask_token", value.reshape(-1)
    elif parts[0] in ("decoder_embed", "decoder_blocks", "decoder_norm"):
        yield our_name(name), value


def _shapes(published: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Names and shapes of an MAE checkpoint of the widths that a file shows."""
    depth = depth_of(published, "blocks")
    if depth != ENCODER_DEPTH + 1:
        raise WeightsError(f"an MAE checkpoint of {depth} blocks; ViT-B with {ENCODER_DEPTH + 1} is needed")
    if len(shape := _known(published, "patch_embed.proj.weight").shape) != len(("D", "C", "H", "W")):
        raise WeightsError(f"patch_embed.proj.weight has shape {tuple(shape)}, four axes are needed")
    width, num_places = shape[0], _known(published, "pos_embed", num_axes=2).shape[-2]
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, num_places, width),
        "patch_embed.proj.weight": (width, _CHANNELS, PATCH_SIZE, PATCH_SIZE),
        "patch_embed.proj.bias": (width,),
        **_stack(published, "blocks", depth, width),
        **_linear("norm", (width,)),
    }
    if any(name.startswith("decoder_") for name in published):
        narrow = _known(published, "decoder_embed.weight").shape[0]
        shapes |= {
            "mask_token": (1, 1, narrow),
            "decoder_pos_embed": (1, num_places, narrow),
            **_linear("decoder_embed", (narrow, width)),
            **_stack(published, "decoder_blocks", depth_of(published, "decoder_blocks"), narrow),
            **_linear("decoder_norm", (narrow,)),
            **_linear("decoder_pred", (PATCH_SIZE**2 * _CHANNELS, narrow)),
        }
    return {name: torch.Size(shape) for name, shape in shapes.items()}


def _stack(published: Mapping[str, Tensor], name: str, depth: int, width: int) -> dict[str, tuple[int, ...]]:
    hidden = _known(published, f"{name}.0.mlp.fc1.weight").shape[0]
    inside = {
        "norm1": (width,),
        "attn.qkv": (3 * width, width),
        "attn.proj": (width, width),
        "norm2": (width,),
        "mlp.fc1": (hidden, width),
        "mlp.fc2": (width, hidden),
    }
    return {
        name_of: shape
        for number in range(depth)
        for part, of in inside.items()
        for name_of, shape in _linear(f"{name}.{number}.{part}", of).items()
    }


def _linear(name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _known(published: Mapping[str, Tensor], name: str, *, num_axes: int = 1) -> Tensor:
    if name not in published:
        raise WeightsError(f"not a complete MAE checkpoint: {name} missing among {len(published)} tensors")
    if (value := published[name]).ndim < num_axes:
        raise WeightsError(f"{name} has shape {tuple(value.shape)}, which is none that an MAE has")
    return value


def _side(table_1ND: Tensor) -> int:
    count = table_1ND.shape[1] - 1
    side = round(count**0.5)
    if side * side != count or not count:
        raise WeightsError(f"pos_embed has {count} places beside the class token: no square of patches")
    return side


def _check_table(table_1ND: Tensor, name: str) -> None:
    side = _side(table_1ND)
    fixed_ND = sine_cosine_positions(table_1ND.shape[2], (side, side))
    tolerance = 1e-5 if table_1ND.dtype == torch.float32 else 1e-2
    if not torch.allclose(table_1ND[0, 1:].float(), fixed_ND, atol=tolerance, rtol=0):
        raise WeightsError(
            f"{name} is not MAE's fixed sine-cosine table. These are weights of another ViT (supervised or "
            "fine-tuned), whose positions ours do not have; take MAE's pretraining weights."
        )


def is_mae(layout: Layout) -> bool:
    """Whether a layout is that of an ImageNet MAE, which is the start of a model and not one."""
    return layout in ("mae", "timm", "huggingface")

"""Random checkpoints in every layout that is read, made from the published key tables alone.

Nothing here uses the package: names and shapes are those of spec 2.3, 2.10 and 3.5, of timm's ViT and of
Hugging Face's ViTMAE; position tables are computed a second time. Every tensor is random, unused norms too,
so that a dropped or swapped one is noticed.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
PATCH, MELS = 16, 128


def sync_shapes(
    *,
    width: int = 64,
    depth: int = 2,
    segment_length: int = 32,
    frame_pixels: int = 32,
    registers: int = 2,
    has_global_tokens: bool = True,
    has_contrastive_heads: bool = False,
    decoder_width: int | None = 32,
    decoder_depth: int = 1,
) -> Shapes:
    """Names and shapes of a CAV-MAE Sync checkpoint, without prefix, in the order of the authors' class."""
    places = {"a": MELS // PATCH * (segment_length // PATCH), "v": (frame_pixels // PATCH) ** 2}
    shapes: Shapes = {f"modality_{side}": (1, 1, width) for side in "av"}
    shapes |= {f"pos_embed_{side}": (1, places[side], width) for side in "av"}
    if registers:
        shapes["register_tokens"] = (2 * registers, width)
    if decoder_width:
        shapes["mask_token"] = (1, 1, decoder_width)
        shapes |= {f"decoder_modality_{side}": (1, 1, decoder_width) for side in "av"}
        shapes |= {f"decoder_pos_embed_{side}": (1, places[side], decoder_width) for side in "av"}
    if has_global_tokens:
        shapes |= {f"cls_token_{side}": (1, 1, width) for side in "av"}
    for side, channels in (("a", 1), ("v", 3)):
        shapes[f"patch_embed_{side}.proj.weight"] = (width, channels, PATCH, PATCH)
        shapes[f"patch_embed_{side}.proj.bias"] = (width,)
    stacks = [("blocks_a", depth, width), ("blocks_v", depth, width), ("blocks_u", 1, width)]
    if has_contrastive_heads:
        stacks += [("constrative_head_audio", 2, width), ("constrative_head_visual", 2, width)]
    for name, count, size in stacks:
        shapes |= three_norm_blocks(name, count, size)
    for name in ("norm_a", "norm_v", "norm"):
        shapes |= linear(name, (width,))
    if decoder_width:
        shapes |= linear("decoder_embed", (decoder_width, width))
        shapes |= three_norm_blocks("decoder_blocks", decoder_depth, decoder_width)
        shapes |= linear("decoder_norm", (decoder_width,))
        shapes |= linear("decoder_pred_a", (PATCH**2, decoder_width))
        shapes |= linear("decoder_pred_v", (3 * PATCH**2, decoder_width))
    return shapes


def classifier_shapes(*, width: int, num_classes: int) -> Shapes:
    """The head `self_attention_cls` of CAVMAEFT."""
    return {
        "cls_cls_token": (1, 1, width),
        **three_norm_blocks("classifier_layers", 2, width),
        **linear("classifier_norm", (width,)),
        **linear("classifier_head", (num_classes, width)),
    }


def mae_shapes(
    *,
    width: int = 64,
    depth: int = 12,
    frame_pixels: int = 32,
    decoder_width: int | None = 32,
    decoder_depth: int = 1,
) -> Shapes:
    """Names and shapes of an ImageNet MAE ViT; without decoder they are timm's."""
    places = (frame_pixels // PATCH) ** 2 + 1
    shapes: Shapes = {"cls_token": (1, 1, width), "pos_embed": (1, places, width)}
    shapes |= {"patch_embed.proj.weight": (width, 3, PATCH, PATCH), "patch_embed.proj.bias": (width,)}
    for number in range(depth):
        shapes |= block(f"blocks.{number}", width, norms=("",))
    shapes |= linear("norm", (width,))
    if decoder_width:
        shapes |= {"mask_token": (1, 1, decoder_width), "decoder_pos_embed": (1, places, decoder_width)}
        shapes |= linear("decoder_embed", (decoder_width, width))
        for number in range(decoder_depth):
            shapes |= block(f"decoder_blocks.{number}", decoder_width, norms=("",))
        shapes |= linear("decoder_norm", (decoder_width,)) | linear("decoder_pred", (768, decoder_width))
    return shapes


def three_norm_blocks(name: str, count: int, width: int) -> Shapes:
    """A stack of the authors' blocks: three pairs of norms in each."""
    shapes: Shapes = {}
    for number in range(count):
        shapes |= block(f"{name}.{number}", width, norms=("", "_a", "_v"))
    return shapes


def block(name: str, width: int, *, norms: tuple[str, ...]) -> Shapes:
    """One transformer block with an MLP of four times its width."""
    shapes: Shapes = {}
    for suffix in norms:
        shapes |= linear(f"{name}.norm1{suffix}", (width,))
    shapes |= linear(f"{name}.attn.qkv", (3 * width, width)) | linear(f"{name}.attn.proj", (width, width))
    for suffix in norms:
        shapes |= linear(f"{name}.norm2{suffix}", (width,))
    shapes |= linear(f"{name}.mlp.fc1", (4 * width, width))
    return shapes | linear(f"{name}.mlp.fc2", (width, 4 * width))


def words(state: Mapping[str, Tensor]) -> list[str]:
    """What no tensor of these files shows: heads are 64 wide here, those of decoders 32."""
    tokens = (
        value
        for name, value in state.items()
        if name.endswith(("modality_a", "cls_token")) and not re.search("decoder|cls_cls", name)
    )
    token = next(tokens, None)
    if token is None:  # a file of another kind
        return []
    narrow = next((value.shape[-1] for name, value in state.items() if name.endswith("mask_token")), None)
    return [f"heads={token.shape[-1] // 64}", *([] if narrow is None else [f"decoder.heads={narrow // 32}"])]


def linear(name: str, shape: tuple[int, ...]) -> Shapes:
    """A weight and its bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def num_values(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many numbers tensors of these shapes hold."""
    return sum(math.prod(shape) for shape in shapes.values())


def checkpoint(
    shapes: Shapes,
    *,
    prefix: str = "",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    trained_tables: bool = False,
) -> dict[str, Tensor]:
    """Random tensors of these names and shapes; position tables are the fixed ones, but where trained.

    Values are small, as of a trained model, and norms lie around 1.
    """
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator) * 0.1
        if "pos_embed" in name and "patch" not in name:
            value = torch.from_numpy(table(name, shape)) + (value * 0.1 if trained_tables else 0)
        elif "norm" in name and name.endswith("weight"):
            value += 1
        state[prefix + name] = value.to(dtype)
    return state


def table(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The fixed sine-cosine table, place by place; a class token in front has zeros."""
    _, places, width = shape
    is_audio = name.endswith("_a")
    has_class_token = name in ("pos_embed", "decoder_pos_embed")
    places -= has_class_token
    rows = MELS // PATCH if is_audio else math.isqrt(places)
    columns = places // rows
    codes = [np.zeros(width)] if has_class_token else []
    for row in range(rows):
        codes += [np.concatenate([_code(column, width), _code(row, width)]) for column in range(columns)]
    return np.stack(codes)[np.newaxis].astype(np.float32)


def _code(position: int, width: int) -> np.ndarray:
    angles = [position / 10000 ** (k / (width / 4)) for k in range(width // 4)]
    return np.array([math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles])


def sync_file(*, prefix: str = "module.", seed: int = 0, **changes) -> dict[str, Tensor]:
    """A CAV-MAE Sync checkpoint as the authors save it."""
    return checkpoint(sync_shapes(**changes), prefix=prefix, seed=seed)


def cavmae_file(*, prefix: str = "module.", seed: int = 0, **changes) -> dict[str, Tensor]:
    """A plain CAV-MAE checkpoint: neither global tokens nor registers, and the whole clip as one segment."""
    plain = {"segment_length": 1024, "registers": 0, "has_global_tokens": False}
    return checkpoint(sync_shapes(**plain | changes), prefix=prefix, seed=seed)


def finetuned_file(
    *,
    num_classes: int = 5,
    modalities: int = 2,
    prefix: str = "module.",
    seed: int = 0,
    trained_tables: bool = True,
    width: int = 64,
) -> dict[str, Tensor]:
    """A CAV-MAE Sync classifier with its head of attention over frames."""
    shapes = sync_shapes(width=width, decoder_width=None)
    shapes |= classifier_shapes(width=modalities * width, num_classes=num_classes)
    return checkpoint(shapes, prefix=prefix, seed=seed, trained_tables=trained_tables)


def cavmae_finetuned_file(*, num_classes: int = 5, width: int = 64, seed: int = 0) -> dict[str, Tensor]:
    """A CAV-MAE classifier: a layer norm and a linear layer on the mean of all tokens."""
    shapes = sync_shapes(
        width=width, segment_length=1024, registers=0, has_global_tokens=False, decoder_width=None
    )
    shapes |= linear("mlp_head.0", (width,)) | linear("mlp_head.1", (num_classes, width))
    return checkpoint(shapes, prefix="module.", seed=seed, trained_tables=True)


def mae_file(*, seed: int = 0, **changes) -> dict[str, Tensor]:
    """An ImageNet MAE with decoder, by its published names."""
    return checkpoint(mae_shapes(**changes), seed=seed)


def timm_file(*, seed: int = 0, norm: Literal["norm", "fc_norm"] = "norm", **changes) -> dict[str, Tensor]:
    """The encoder of an ImageNet MAE, by timm's names."""
    state = checkpoint(mae_shapes(decoder_width=None, **changes), seed=seed)
    return {re.sub(r"^norm\.", f"{norm}.", name): value for name, value in state.items()}


#: Hugging Face's names for the parts of a block, as transformers 4 writes them.
_HUGGING_FACE = {
    "norm1": "layernorm_before",
    "attn.proj": "attention.output.dense",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def huggingface_file(*, seed: int = 0, has_decoder: bool = True, **changes) -> dict[str, Tensor]:
    """An ImageNet MAE by Hugging Face's names (ViTMAEForPreTraining, or ViTMAEModel without decoder)."""
    decoder = {} if has_decoder else {"decoder_width": None}
    state = checkpoint(mae_shapes(**decoder | changes), seed=seed)
    prefix = "vit." if has_decoder else ""
    return {
        name: value for key, given in state.items() for name, value in _for_huggingface(key, given, prefix)
    }


def _for_huggingface(key: str, value: Tensor, prefix: str) -> Iterator[tuple[str, Tensor]]:
    outside = {
        "cls_token": f"{prefix}embeddings.cls_token",
        "pos_embed": f"{prefix}embeddings.position_embeddings",
        "patch_embed.proj.weight": f"{prefix}embeddings.patch_embeddings.projection.weight",
        "patch_embed.proj.bias": f"{prefix}embeddings.patch_embeddings.projection.bias",
        "norm.weight": f"{prefix}layernorm.weight",
        "norm.bias": f"{prefix}layernorm.bias",
    }
    stack, _, rest = key.partition(".")
    if stack not in ("blocks", "decoder_blocks"):
        yield outside.get(key, f"decoder.{key}"), value
        return
    number, _, inner = rest.partition(".")
    inner, _, kind = inner.rpartition(".")
    where = f"{prefix}encoder.layer" if stack == "blocks" else "decoder.decoder_layers"
    if inner == "attn.qkv":
        for name, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
            yield f"{where}.{number}.attention.attention.{name}.{kind}", third.clone()
    else:
        yield f"{where}.{number}.{_HUGGING_FACE[inner]}.{kind}", value

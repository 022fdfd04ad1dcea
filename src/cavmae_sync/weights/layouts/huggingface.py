"""Hugging Face's names for an ImageNet MAE, translated into the published names. Three kinds of them exist.

transformers 4 writes `vit.encoder.layer.N.attention.attention.query`, transformers 5 names the same tensor
`vit.layers.N.attention.q_proj` in memory. `ViTMAEModel` has neither the `vit.` in front nor a decoder.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError


class PublishedName(NamedTuple):
    """Name of a tensor in the published layout.

    Attributes:
        name: The name.
        third: Which third of a fused query-key-value tensor; None for the whole of it.
    """

    name: str
    third: int | None = None


_OUTSIDE_BLOCKS: Final = (
    (r"(?:vit\.)?embeddings\.cls_token", "cls_token"),
    (r"(?:vit\.)?embeddings\.position_embeddings", "pos_embed"),
    (r"(?:vit\.)?embeddings\.patch_embeddings\.projection\.(weight|bias)", r"patch_embed.proj.\1"),
    (r"(?:vit\.)?layernorm\.(weight|bias)", r"norm.\1"),
    (r"decoder\.mask_token", "mask_token"),
    (r"decoder\.(decoder_pos_embed)", r"\1"),
    (r"decoder\.(decoder_(?:embed|norm|pred)\.(?:weight|bias))", r"\1"),
)
_BLOCK: Final = re.compile(
    r"(?:(?P<encoder>(?:vit\.)?(?:encoder\.layer|layers))"
    r"|decoder\.(?:decoder_layers|decoder_encoder\.layer|layers))"
    r"\.(?P<number>\d+)\.(?P<inner>.+)\.(?P<kind>weight|bias)"
)
_INSIDE_BLOCKS: Final[Mapping[str, tuple[str, int | None]]] = {
    "attention.attention.query": ("attn.qkv", 0),
    "attention.attention.key": ("attn.qkv", 1),
    "attention.attention.value": ("attn.qkv", 2),
    "attention.q_proj": ("attn.qkv", 0),
    "attention.k_proj": ("attn.qkv", 1),
    "attention.v_proj": ("attn.qkv", 2),
    "attention.output.dense": ("attn.proj", None),
    "attention.o_proj": ("attn.proj", None),
    "intermediate.dense": ("mlp.fc1", None),
    "mlp.fc1": ("mlp.fc1", None),
    "output.dense": ("mlp.fc2", None),
    "mlp.fc2": ("mlp.fc2", None),
    "layernorm_before": ("norm1", None),
    "layernorm_after": ("norm2", None),
}


def published_name_of(name: str) -> PublishedName | None:
    """Published name of a tensor of Hugging Face's layout; None for an unknown one."""
    if (match := _BLOCK.fullmatch(name)) and match["inner"] in _INSIDE_BLOCKS:
        inner, third = _INSIDE_BLOCKS[match["inner"]]
        stack = "blocks" if match["encoder"] else "decoder_blocks"
        return PublishedName(f"{stack}.{match['number']}.{inner}.{match['kind']}", third)
    for pattern, published in _OUTSIDE_BLOCKS:
        if match := re.fullmatch(pattern, name):
            return PublishedName(match.expand(published))
    return None


def from_huggingface(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by their published names; query, key and value become one tensor.

    Raises:
        WeightsError: A tensor is unknown, or a query has no key or no value beside it.
    """
    whole: dict[str, Tensor] = {}
    thirds: dict[str, dict[int, Tensor]] = {}
    for name, value in state.items():
        published_name = published_name_of(name)
        if published_name is None:
            raise WeightsError(f"unknown tensor {name!r} in a ViT MAE of Hugging Face")
        if published_name.third is None:
            whole[published_name.name] = value
        else:
            thirds.setdefault(published_name.name, {})[published_name.third] = value
    for name, parts in thirds.items():
        if missing := [part for number, part in enumerate(("query", "key", "value")) if number not in parts]:
            raise WeightsError(f"{name.removesuffix('.weight')} lacks its {' and '.join(missing)}")
        if len({value.shape for value in parts.values()}) > 1:
            raise WeightsError(f"query, key and value of {name} have different shapes")
        whole[name] = torch.cat([parts[0], parts[1], parts[2]])
    return whole


def to_huggingface(published: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Tensors of the given names, as far as the published ones contain them."""
    found: dict[str, Tensor] = {}
    for name in names:
        published_name = published_name_of(name)
        if published_name is None or published_name.name not in published:
            continue
        value = published[published_name.name]
        found[name] = value if published_name.third is None else value.chunk(3)[published_name.third]
    return found

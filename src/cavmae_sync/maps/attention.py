"""Vectors of patches by attention: what each patch adds to the vector of its frame, in one pass.

P frames, N patches, D width.

The global token is a sum: its start, what attention adds to it in every block, and what perceptrons add. What
attention adds is itself a sum over patches. These parts are added up over all blocks, and scaled as the last
norm and the length scale the token. What perceptrons add is left out: it is not a sum over patches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.block import Attention


def attention_vectors(embedder: Embedder, frames_PCHW: Tensor) -> Tensor:
    """What attention carries from each patch to the unit vector of its frame, float32 [P, N, D] on the CPU.

    Args:
        embedder: The model and how it computes.
        frames_PCHW: Normalised frames.

    Raises:
        ConfigError: The vector of a frame is not its global token.

    Source:
        Gandelsman, Efros and Steinhardt 2024, "Interpreting CLIP's image representation via text-based
        decomposition", summed over heads and blocks.
    """
    if not embedder.model.config.global_token or embedder.representation != "global":
        raise ConfigError(
            "map=attention follows the global token, and the vectors of this model are means of patches. Use "
            "map=masking."
        )
    return embedder.distinct_rows(frames_PCHW, lambda rows: _carried(embedder.model, rows))


def _carried(model: CAVMAESync, frames_PCHW: Tensor) -> Tensor:
    num_patches = model.config.visual_grid[0] * model.config.visual_grid[1]
    parts: list[Tensor] = []
    tokens: list[Tensor] = []

    def read_attention(attention: nn.Module, inputs: tuple[Any, ...], _result: Tensor) -> None:
        assert isinstance(attention, Attention)
        # Place 0 is the global token; registers, where there are any, come behind the patches.
        part_PND = attention.parts_of_first(inputs[0])[:, 1 : num_patches + 1].float()
        parts[:] = [part_PND + parts[0]] if parts else [part_PND]

    def read_norm(_norm: nn.Module, inputs: tuple[Any, ...], result: Tensor) -> None:
        tokens[:] = [inputs[0][:, :1].float(), result[:, :1].float()]

    with _reading(model, read_attention, read_norm):
        model.encode_visual(frames_PCHW, with_patches=False)
    (parts_PND,), (entering_P1D, leaving_P1D) = parts, tokens
    norm = model.joint.norm_v
    variance_P11 = entering_P1D.var(dim=-1, unbiased=False, keepdim=True)
    centred_PND = parts_PND - parts_PND.mean(dim=-1, keepdim=True)
    scaled_PND = centred_PND * (variance_P11 + norm.eps).rsqrt() * norm.weight.float()
    return scaled_PND / torch.linalg.vector_norm(leaving_P1D, dim=-1, keepdim=True)


@contextmanager
def _reading(model: CAVMAESync, read_attention: Any, read_norm: Any) -> Iterator[None]:
    """Call the two functions at every attention that frames pass, and at the last norm."""
    passed = (model.visual.blocks, model.joint.blocks, model.joint.head_v)
    layers = [layer for blocks in passed for layer in blocks.modules() if isinstance(layer, Attention)]
    hooks = [layer.register_forward_hook(read_attention) for layer in layers]
    hooks.append(model.joint.norm_v.register_forward_hook(read_norm))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

"""The transformer block: shared attention and perceptron, one pair of layer norms per use.

B any batch, N tokens, D width, H heads.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.compute import attend
from cavmae_sync.paper import LAYER_NORM_EPSILON

Modality = Literal["audio", "visual"]

#: Which pair of norms a pass uses: "shared" for encoders, joint pass and decoder.
NormUse = Literal["shared", "audio", "visual"]

_SUFFIX: dict[NormUse, str] = {"shared": "", "audio": "_a", "visual": "_v"}


def layer_norm(width: int) -> nn.LayerNorm:
    """A layer norm with the method's epsilon (spec 2.1)."""
    return nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)


class Attention(nn.Module):
    """Multi-head self-attention with a fused qkv projection."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens_BND: Tensor) -> Tensor:
        """`[B, N, D]` to `[B, N, D]`."""
        batch, num_tokens, width = tokens_BND.shape
        qkv = self.qkv(tokens_BND).view(batch, num_tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = attend(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, num_tokens, width))


class Mlp(nn.Module):
    """Two linear layers around a GELU."""

    def __init__(self, width: int, *, hidden_width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden_width)
        self.fc2 = nn.Linear(hidden_width, width)

    def forward(self, tokens_BND: Tensor) -> Tensor:
        """`[B, N, D]` to `[B, N, D]`."""
        return self.fc2(F.gelu(self.fc1(tokens_BND)))


class Block(nn.Module):
    """Pre-norm transformer block (spec 2.1).

    Attention and perceptron are shared by all uses; `uses` says which pairs of norms exist. The official
    code builds three pairs in every block and uses three only in the joint layer.
    """

    def __init__(
        self, width: int, *, heads: int, mlp_ratio: int, uses: tuple[NormUse, ...] = ("shared",)
    ) -> None:
        super().__init__()
        self.attn = Attention(width, heads=heads)
        self.mlp = Mlp(width, hidden_width=width * mlp_ratio)
        for use in uses:
            self.add_module(f"norm1{_SUFFIX[use]}", layer_norm(width))
            self.add_module(f"norm2{_SUFFIX[use]}", layer_norm(width))

    def forward(self, tokens_BND: Tensor, use: NormUse = "shared") -> Tensor:
        """`[B, N, D]` to `[B, N, D]` with the norms of `use`."""
        norm1, norm2 = (self.get_submodule(f"norm{k}{_SUFFIX[use]}") for k in (1, 2))
        tokens_BND = tokens_BND + self.attn(norm1(tokens_BND))
        return tokens_BND + self.mlp(norm2(tokens_BND))


@torch.no_grad()
def initialize_linear(module: nn.Module, *, generator: torch.Generator | None) -> None:
    """Xavier-uniform weights and zero biases for every linear layer below `module` (spec 2.4)."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            nn.init.xavier_uniform_(child.weight, generator=generator)
            if child.bias is not None:
                nn.init.zeros_(child.bias)

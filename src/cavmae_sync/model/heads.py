"""Classification heads: features of a clip's frames in, one score per class out.

B clips, T frames per clip (any number: heads have no positions over frames), D width of a feature,
C classes.
"""

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from cavmae_sync import paper
from cavmae_sync.choices import HeadKind
from cavmae_sync.config import Config
from cavmae_sync.model.block import Block, initialize_linear, layer_norm


class HeadConfig(Config):
    """Shape of a head."""

    kind: HeadKind = "transformer"
    """"transformer" is the paper's head, "linear" is logistic regression on the mean over time."""
    width: int = Field(gt=0)
    """Width of a frame's feature."""
    num_classes: int = Field(gt=0)
    """Classes it tells apart."""
    depth: int = Field(paper.HEAD_DEPTH, gt=0)
    """Blocks of the transformer."""
    heads: int | None = Field(None, gt=0)
    """Attention heads of each block; None takes 12, or the most below 12 that divide the width."""
    mlp_ratio: int = Field(paper.MLP_RATIO, gt=0)
    """Hidden width of a block's perceptron over its width."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.heads is not None and self.width % self.heads:
            raise ValueError(f"the width {self.width} must be a multiple of heads={self.heads}.")
        return self

    @property
    def num_heads(self) -> int:
        """Attention heads of each block."""
        return self.heads or next(n for n in range(paper.NUM_HEADS, 0, -1) if self.width % n == 0)


class TransformerHead(nn.Module):
    """A class token that looks at all frames through two blocks, then a layer norm and a linear layer.

    Source:
        Code: Sync, `CAVMAEFT` with aggregate `self_attention_cls`.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(config.width))
        self.blocks = nn.ModuleList(
            Block(config.width, heads=config.num_heads, mlp_ratio=config.mlp_ratio)
            for _ in range(config.depth)
        )
        self.norm = layer_norm(config.width)
        self.classify = nn.Linear(config.width, config.num_classes)

    def forward(self, features_BTD: Tensor) -> Tensor:
        """Features `[B, T, D]` to logits `[B, C]`."""
        token_B1D = self.class_token.expand(len(features_BTD), 1, -1)
        row = torch.cat([token_B1D, features_BTD], dim=1)
        for block in self.blocks:
            row = block(row)
        return self.classify(self.norm(row[:, 0]))


class LinearHead(nn.Module):
    """Logistic regression on the mean over time, without a layer norm."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.classify = nn.Linear(config.width, config.num_classes)

    def forward(self, features_BTD: Tensor) -> Tensor:
        """Features `[B, T, D]` to logits `[B, C]`."""
        return self.classify(features_BTD.mean(dim=1))


Head = TransformerHead | LinearHead


@torch.no_grad()
def make_head(config: HeadConfig, *, generator: torch.Generator | None = None) -> Head:
    """A head with fresh weights.

    Args:
        config: Its shape.
        generator: Source of the fresh weights; None uses the framework's global one.
    """
    head: Head = TransformerHead(config) if config.kind == "transformer" else LinearHead(config)
    initialize_linear(head, generator=generator)
    if isinstance(head, TransformerHead):
        head.class_token.normal_(std=paper.TOKEN_STD, generator=generator)
    return head

"""Masks: which patches the encoder sees.

P (clip, frame) pairs, N patches, K kept and M hidden patches, A rows and columns of a grid.

    noise  0.7  0.1  0.9  0.4      ratio 0.5: the int(4 * 0.5) smallest are kept,
    order   2    0    3    1       in the order of their noise: keep = [1, 3]
    hidden  x    .    x    .
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.config import Config

MaskMode = Literal["unstructured", "time", "freq", "tf"]


def take_tokens(tokens_PND: Tensor, index_PM: Tensor) -> Tensor:
    """Tokens at given places, `[P, M, D]`, by an int64 index `[P, M]`."""
    num_pairs, num_tokens, width = tokens_PND.shape
    # Whole rows of one table are copied. `gather` looks up each number: 20 times as long on the CPU.
    first_P1 = torch.arange(num_pairs, device=index_PM.device).unsqueeze(1) * num_tokens
    rows = tokens_PND.flatten(0, 1).index_select(0, (index_PM + first_P1).flatten())
    return rows.view(num_pairs, index_PM.shape[1], width)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mask:
    """Patches that the encoder sees, and those hidden from it.

    Attributes:
        keep_PK: int64 `[P, K]`, indices of the kept patches, in the order of their noise.
        hidden_PN: bool `[P, N]`, True where the encoder does not see the patch.
    """

    keep_PK: Tensor
    hidden_PN: Tensor

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together."""
        if self.keep_PK.ndim != 2 or self.hidden_PN.ndim != 2 or len(self.keep_PK) != len(self.hidden_PN):
            raise ValueError(
                f"a mask needs keep [P, K] and hidden [P, N] of the same P, got {tuple(self.keep_PK.shape)} "
                f"and {tuple(self.hidden_PN.shape)}"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as arrays: a tensor costs the process that receives it a connection."""
        parts = (self.keep_PK, self.hidden_PN)
        return _unpickled, tuple(part.numpy() if part.device.type == "cpu" else part for part in parts)

    @classmethod
    def from_noise(cls, noise_PN: Tensor, *, ratio: float) -> Self:
        """Keep the `int(N * (1 - ratio))` patches of smallest noise as published.

        Args:
            noise_PN: Float `[P, N]`, one draw per patch.
            ratio: Fraction to hide, in [0, 1).

        Raises:
            ValueError: The ratio would keep no patch.
        """
        num_patches = noise_PN.shape[1]
        num_keep = int(num_patches * (1 - ratio))
        if not 0 < num_keep <= num_patches:
            raise ValueError(f"mask ratio {ratio} of {num_patches} patches keeps {num_keep}; use [0, 1)")
        keep_PK = noise_PN.argsort(dim=1, stable=True)[:, :num_keep]
        # Kept tokens stay in the order of their noise, as published. No pass depends on it: positions are in
        # the tokens already, and the decoder puts them back by index.
        hidden_PN = torch.ones_like(noise_PN, dtype=torch.bool).scatter(1, keep_PK, value=False)
        return cls(keep_PK=keep_PK, hidden_PN=hidden_PN)

    def part(self, span: slice) -> Self:
        """Mask of some of the pairs."""
        return type(self)(keep_PK=self.keep_PK[span], hidden_PN=self.hidden_PN[span])

    def take(self, tokens_PND: Tensor) -> Tensor:
        """The kept tokens, `[P, K, D]`."""
        return take_tokens(tokens_PND, self.keep_PK)

    def hidden_index(self) -> Tensor:
        """Indices of the M = N - K hidden patches, int64 `[P, M]`, in their order in the image."""
        # Sorting, not `nonzero`: the length of that is known only after waiting for the device.
        order_PN = self.hidden_PN.long().argsort(dim=1, descending=True, stable=True)
        return order_PN[:, : self.hidden_PN.shape[1] - self.keep_PK.shape[1]]

    def put_back(self, tokens_PKD: Tensor, *, filler_D: Tensor) -> Tensor:
        """Tokens of all patches, `[P, N, D]`: kept ones in their places, `filler_D` in the hidden ones."""
        width = tokens_PKD.shape[-1]
        full_PND = filler_D.to(tokens_PKD.dtype).expand(*self.hidden_PN.shape, width)
        return full_PND.scatter(1, self.keep_PK.unsqueeze(-1).expand(-1, -1, width), tokens_PKD)


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskPair:
    """Masks of both modalities; None means that the encoder sees everything."""

    audio: Mask | None
    visual: Mask | None


class MaskingConfig(Config):
    """Hiding of patches during pretraining."""

    ratio: float = Field(paper.MASK_RATIO, ge=0, lt=1)
    """Fraction of patches that are hidden, in both modalities."""
    ratio_range: tuple[float, float] | None = None
    """Multi-ratio masking: each step draws a ratio per modality from this range (published: 0.6,0.9)."""
    audio_mode: MaskMode = "unstructured"
    """Hidden patches of a segment: single ones, whole time columns, whole frequency rows, or both."""
    contrastive_mask_ratio: float | None = Field(None, ge=0, lt=1)
    """None: the same masked pass serves both losses. A number: a second pass with this ratio aligns."""
    contrastive_ratio_range: tuple[float, float] | None = None
    """Each step draws the ratio of the second pass from this range, in place of `contrastive_mask_ratio`: a
    model that compares whole inputs and is used to hidden patches too."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ratio_range is not None and not 0 <= self.ratio_range[0] < self.ratio_range[1] < 1:
            raise ValueError(f"ratio_range={self.ratio_range} must be increasing and inside [0, 1).")
        contrast = self.contrastive_ratio_range
        if contrast is not None and not 0 <= contrast[0] < contrast[1] < 1:
            raise ValueError(f"contrastive_ratio_range={contrast} must be increasing and inside [0, 1).")
        if contrast is not None and self.contrastive_mask_ratio is not None:
            raise ValueError(
                "contrastive_ratio_range takes the place of contrastive_mask_ratio. Set one of them to none."
            )
        return self

    @property
    def mean_ratio(self) -> float:
        """Ratio of the pass that is reconstructed, on the mean over steps."""
        return self.ratio if self.ratio_range is None else sum(self.ratio_range) / 2

    @property
    def mean_contrastive_ratio(self) -> float | None:
        """Ratio of the second pass on the mean over steps; None without one."""
        if self.contrastive_ratio_range is None:
            return self.contrastive_mask_ratio
        return sum(self.contrastive_ratio_range) / 2

    @property
    def changes_size(self) -> bool:
        """Whether steps keep different numbers of patches."""
        return self.ratio_range is not None or self.contrastive_ratio_range is not None


def _unpickled(*parts: Any) -> Mask:
    keep_PK, hidden_PN = (torch.as_tensor(part) for part in parts)
    return Mask(keep_PK=keep_PK, hidden_PN=hidden_PN)


def structured_noise(
    noise_PN: Tensor, axis_noise_PA: Tensor, *, grid: tuple[int, int], ratio: float, mode: MaskMode
) -> Tensor:
    """Noise whose largest values lie on whole rows or columns of the grid, so that those are hidden first.

    Args:
        noise_PN: Float `[P, rows * columns]` in [0, 1).
        axis_noise_PA: Float `[P, rows + columns]`; decides which rows and columns are chosen.
        grid: (frequency rows, time columns).
        ratio: Fraction of patches hidden.
        mode: "time" chooses `int(columns * ratio)` columns, "freq" `int(rows * ratio)` rows, "tf" both with
            0.7 of the ratio each, "unstructured" none.

    Source:
        Code: CAV-MAE, `random_masking_structured`; generalised from 64 columns to any segment length.
    """
    rows, columns = grid
    share = ratio * paper.TIME_FREQUENCY_SHARE if mode == "tf" else ratio
    raised = torch.zeros(len(noise_PN), rows, columns, dtype=torch.bool, device=noise_PN.device)
    if mode in ("freq", "tf"):
        raised |= _chosen(axis_noise_PA[:, :rows], int(rows * share)).unsqueeze(2)
    if mode in ("time", "tf"):
        raised |= _chosen(axis_noise_PA[:, rows:], int(columns * share)).unsqueeze(1)
    # Raised by 1, not set to one value: "tf" can raise more than the ratio hides, and chance decides then.
    return noise_PN + raised.flatten(1)


def _chosen(noise_PA: Tensor, count: int) -> Tensor:
    """True at the `count` smallest of each row."""
    index = noise_PA.argsort(dim=1, stable=True)[:, :count]
    return torch.zeros_like(noise_PA, dtype=torch.bool).scatter(1, index, value=True)

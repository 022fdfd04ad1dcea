"""Tokens of one modality, and their order in a sequence for attention.

P (clip, frame) pairs, N patches (or the kept ones), R registers, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cavmae_sync.choices import Representation


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Tokens of one modality.

    Attributes:
        patch_tokens_PND: `[P, N, D]`, one per patch that the encoder saw, in the order of `Mask.keep_PK`;
            `[P, 0, D]` where only global tokens were requested.
        global_token_PD: `[P, D]`, or None for a model without global tokens (checkpoints call it
            `cls_token`).
        register_tokens_PRD: `[P, R, D]`, or None for a model without registers and after they were removed.
    """

    patch_tokens_PND: Tensor
    global_token_PD: Tensor | None = None
    register_tokens_PRD: Tensor | None = None

    def to_sequence(self) -> Tensor:
        """Sequence `[P, 1 + N + R, D]`: global token, patches, registers."""
        parts = [self.patch_tokens_PND]
        if self.global_token_PD is not None:
            parts.insert(0, self.global_token_PD.unsqueeze(1))
        if self.register_tokens_PRD is not None:
            parts.append(self.register_tokens_PRD)
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def from_sequence(self, sequence_PND: Tensor) -> "Encoded":
        """Tokens of the same kinds, read from a sequence in the order of `to_sequence`."""
        first = 0 if self.global_token_PD is None else 1
        last = first + self.patch_tokens_PND.shape[1]
        return Encoded(
            patch_tokens_PND=sequence_PND[:, first:last],
            global_token_PD=None if self.global_token_PD is None else sequence_PND[:, 0],
            register_tokens_PRD=None if self.register_tokens_PRD is None else sequence_PND[:, last:],
        )

    def part(self, span: slice) -> "Encoded":
        """Tokens of some of the inputs."""
        return Encoded(
            patch_tokens_PND=self.patch_tokens_PND[span],
            global_token_PD=None if self.global_token_PD is None else self.global_token_PD[span],
            register_tokens_PRD=None if self.register_tokens_PRD is None else self.register_tokens_PRD[span],
        )

    def without_registers(self) -> "Encoded":
        """Tokens without the registers."""
        return Encoded(patch_tokens_PND=self.patch_tokens_PND, global_token_PD=self.global_token_PD)

    def representation(self, kind: Representation = "global") -> Tensor:
        """Vector that stands for each input, `[P, D]`: the global token, or the mean of the patch tokens.

        A model without global tokens always compares patch means (that is CAV-MAE).

        Raises:
            ValueError: Patch means are wanted, and only global tokens were requested.
        """
        if kind == "patch_mean" or self.global_token_PD is None:
            if self.patch_tokens_PND.shape[1] == 0:
                raise ValueError("there are no patch tokens: only global tokens were requested")
            return self.patch_tokens_PND.mean(dim=1)
        return self.global_token_PD


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedPair:
    """Tokens of both modalities of the same (clip, frame) pairs."""

    audio: Encoded
    visual: Encoded

    def part(self, span: slice) -> "EncodedPair":
        """Tokens of some of the pairs."""
        return EncodedPair(audio=self.audio.part(span), visual=self.visual.part(span))

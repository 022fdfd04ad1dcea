"""The joint layer: the same blocks in three passes, told apart by their layer norms.

audio tokens  ── norm1_a, norm2_a ──> aligned audio   ┐  compared by the contrastive loss,
visual tokens ── norm1_v, norm2_v ──> aligned visual  ┘  used by every downstream task
both patches  ── norm1,   norm2   ──> fused tokens   ──> decoded into pixels
"""

import torch
from torch import Tensor, nn

from cavmae_sync.model.block import Block, Modality, initialize_linear, layer_norm, run_blocks
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.tokens import Encoded, EncodedPair


class JointLayer(nn.Module):
    """Blocks shared by both modalities, and the heads and norms behind them (spec 2.5, steps 5 to 9)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.keeps_registers = config.registers_in_joint
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                heads=config.heads,
                mlp_ratio=config.mlp_ratio,
                uses=("shared", "audio", "visual"),
            )
            for _ in range(config.joint_depth)
        )
        self.head_a, self.head_v = (
            nn.ModuleList(
                Block(config.width, heads=config.heads, mlp_ratio=config.mlp_ratio)
                for _ in range(config.contrastive_head_depth)
            )
            for _ in range(2)
        )
        self.norm, self.norm_a, self.norm_v = (layer_norm(config.width) for _ in range(3))

    def align(self, tokens: Encoded, modality: Modality, *, with_patches: bool = True) -> Encoded:
        """One modality alone: what is compared between modalities. Registers are left behind.

        Args:
            tokens: What the modality's encoder gave.
            modality: Which one.
            with_patches: False gives the global token only, and no patches, where the model has one: the last
                block then computes nothing else.
        """
        entering = self._entering(tokens)
        row = entering.to_sequence()
        only_global = entering.global_token_PD is not None and not with_patches
        asked = row.new_zeros(len(row), 1, dtype=torch.int64) if only_global else None
        head = self.head_a if modality == "audio" else self.head_v
        row = run_blocks(self.blocks, row, use=modality, query_index_BM=None if len(head) else asked)
        if len(head):
            row = run_blocks(head, row, query_index_BM=asked)
        row = (self.norm_a if modality == "audio" else self.norm_v)(row)
        if only_global:
            return Encoded(patch_tokens_PND=row[:, 1:], global_token_PD=row[:, 0])
        return entering.from_sequence(row).without_registers()

    def fuse(self, tokens: EncodedPair) -> tuple[Tensor, Tensor]:
        """Both modalities together, without global tokens (released code; the paper's text differs).

        Registers, where they enter, are removed here: the decoder slices by patch counts, and the official
        code decodes from shifted positions when they stay (spec 6.2, defect 12).

        Returns:
            Fused patch tokens of audio `[P, K, D]` and of vision.
        """
        audio, visual = (
            Encoded(
                patch_tokens_PND=part.patch_tokens_PND,
                register_tokens_PRD=self._entering(part).register_tokens_PRD,
            )
            for part in (tokens.audio, tokens.visual)
        )
        audio_row, visual_row = audio.to_sequence(), visual.to_sequence()
        row = self.norm(run_blocks(self.blocks, torch.cat([audio_row, visual_row], dim=1)))
        split = audio_row.shape[1]
        return audio.from_sequence(row[:, :split]).patch_tokens_PND, visual.from_sequence(
            row[:, split:]
        ).patch_tokens_PND

    def _entering(self, tokens: Encoded) -> Encoded:
        return tokens if self.keeps_registers else tokens.without_registers()

    def initialize(self, *, generator: torch.Generator | None) -> None:
        """Fresh weights (spec 2.4)."""
        initialize_linear(self, generator=generator)

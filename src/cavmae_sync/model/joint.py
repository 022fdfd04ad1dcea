"""The joint layer: the same blocks in three passes, which differ in their layer norms.

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
    """Blocks shared by both modalities, and the heads and norms behind them.

    Several blocks form a chain. The official code gives each the same input, so only the last one counts.

    Source:
        Code: Sync, `CAVMAESync.forward_encoder`.
    """

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
        """Aligned tokens of one modality alone, which are compared with those of the other. No registers.

        Args:
            tokens: Tokens of the modality's encoder.
            modality: Which one.
            with_patches: False gives the global token only, where the model has one; the last block then
                computes nothing else.
        """
        entering = self._entering(tokens)
        sequence = entering.to_sequence()
        only_global = entering.global_token_PD is not None and not with_patches
        # The global token has place 0. Only the last block of the chain, in the head where there is one, may
        # leave the others out: the blocks before it attend to all.
        query_index = sequence.new_zeros(len(sequence), 1, dtype=torch.int64) if only_global else None
        is_audio = modality == "audio"
        head, norm = (self.head_a, self.norm_a) if is_audio else (self.head_v, self.norm_v)
        sequence = run_blocks(
            self.blocks, sequence, use=modality, query_index_BM=None if len(head) else query_index
        )
        if len(head):
            sequence = run_blocks(head, sequence, query_index_BM=query_index)
        aligned = norm(sequence)
        if only_global:
            return Encoded(patch_tokens_PND=aligned[:, 1:], global_token_PD=aligned[:, 0])
        return entering.from_sequence(aligned).without_registers()

    def fuse(self, tokens: EncodedPair) -> tuple[Tensor, Tensor]:
        """Fused patch tokens of both modalities together.

        Global tokens do not take part, as in the released code; the paper's text lets them.

        Returns:
            Patch tokens of audio `[P, K, D]` and of vision.
        """
        audio, visual = (
            Encoded(
                patch_tokens_PND=part.patch_tokens_PND,
                register_tokens_PRD=self._entering(part).register_tokens_PRD,
            )
            for part in (tokens.audio, tokens.visual)
        )
        audio_sequence, visual_sequence = audio.to_sequence(), visual.to_sequence()
        fused = self.norm(run_blocks(self.blocks, torch.cat([audio_sequence, visual_sequence], dim=1)))
        split = audio_sequence.shape[1]
        # Registers, where they entered, are left out here: the decoder counts patches. The official code
        # keeps them and decodes from shifted positions (docs/paper-vs-code.md, defect 12).
        audio, visual = audio.from_sequence(fused[:, :split]), visual.from_sequence(fused[:, split:])
        return audio.patch_tokens_PND, visual.patch_tokens_PND

    def _entering(self, tokens: Encoded) -> Encoded:
        return tokens if self.keeps_registers else tokens.without_registers()

    def initialize(self, *, generator: torch.Generator | None) -> None:
        """Set fresh weights."""
        initialize_linear(self, generator=generator)

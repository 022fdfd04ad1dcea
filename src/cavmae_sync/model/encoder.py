"""Encoder of one modality: images in, tokens out. Training passes a mask; inference does not."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.model.block import Block, Modality, initialize_linear, run_blocks
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.masking import Mask
from cavmae_sync.model.patches import PatchEmbedding, patchify
from cavmae_sync.model.positions import add_positions, compute_positions
from cavmae_sync.model.tokens import Encoded
from cavmae_sync.paper import REGISTER_STD, TOKEN_STD

CHANNELS: dict[Modality, int] = {"audio": 1, "visual": 3}


class ModalityEncoder(nn.Module):
    """Patch embedding, positions, global token, registers, blocks.

    Global and register tokens get neither position nor modality code.

    Args:
        config: Shape of the model.
        modality: Which one; decides channels and grid.

    Source:
        Code: Sync, `CAVMAESync.forward_encoder`.
    """

    positions_ND: Tensor

    def __init__(self, config: ModelConfig, *, modality: Modality) -> None:
        super().__init__()
        self.grid = config.audio_grid if modality == "audio" else config.visual_grid
        self.patch_embed = PatchEmbedding(channels=CHANNELS[modality], width=config.width)
        add_positions(
            self, "positions_ND", width=config.width, grid=self.grid, learned=config.learned_positions
        )
        self.modality = nn.Parameter(torch.zeros(config.width))
        self.global_token = nn.Parameter(torch.zeros(config.width)) if config.global_token else None
        self.registers = (
            nn.Parameter(torch.zeros(config.registers, config.width)) if config.registers else None
        )
        self.blocks = nn.ModuleList(
            Block(config.width, heads=config.heads, mlp_ratio=config.mlp_ratio) for _ in range(config.depth)
        )

    def forward(self, images_PCHW: Tensor, mask: Mask | None = None) -> Encoded:
        """Tokens before the joint layer.

        Args:
            images_PCHW: Frames, or segments as `segment_image` gives them.
            mask: Patches to hide; None shows all.
        """
        if mask is None:
            return self.encode_patches(self.embed_patches(images_PCHW))
        # Pixels of the others are not read.
        kept_PKD = self.patch_embed.of_patches(mask.take(patchify(images_PCHW)))
        return self.encode_patches(kept_PKD + F.embedding(mask.keep_PK, self.positions_ND) + self.modality)

    def embed_patches(self, images_PCHW: Tensor) -> Tensor:
        """All patches as tokens `[P, N, D]` with their positions, before any block."""
        return self.patch_embed(images_PCHW) + self.positions_ND + self.modality

    def encode_patches(self, patches_PND: Tensor) -> Encoded:
        """Tokens before the joint layer, of all patches of `embed_patches` or of some of them."""
        count = patches_PND.shape[0]  # not len(), which fixes the number in an exported graph
        tokens = Encoded(
            patch_tokens_PND=patches_PND,
            global_token_PD=None if self.global_token is None else self.global_token.expand(count, -1),
            register_tokens_PRD=None if self.registers is None else self.registers.expand(count, -1, -1),
        )
        return tokens.from_sequence(run_blocks(self.blocks, tokens.to_sequence()))

    def compute_positions(self) -> None:
        """Compute the fixed position table, for an encoder that was built on the meta device."""
        compute_positions(self, "positions_ND", grid=self.grid)

    @torch.no_grad()
    def initialize(self, *, generator: torch.Generator | None) -> None:
        """Set fresh weights: registers with deviation 1, the other tokens with 0.02, as published."""
        initialize_linear(self, generator=generator)
        self.patch_embed.initialize(generator=generator)
        self.modality.normal_(std=TOKEN_STD, generator=generator)
        if self.global_token is not None:
            self.global_token.normal_(std=TOKEN_STD, generator=generator)
        if self.registers is not None:
            self.registers.normal_(std=REGISTER_STD, generator=generator)

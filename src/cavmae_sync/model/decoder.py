"""The decoder: fused tokens of the kept patches in, values of all or of the hidden patches out.

P (clip, frame) pairs, N patches, K kept and M hidden ones, D width.
"""

import torch
from torch import Tensor, nn

from cavmae_sync.model.block import Block, initialize_linear, layer_norm, run_blocks
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.model.encoder import CHANNELS
from cavmae_sync.model.masking import Mask
from cavmae_sync.model.positions import add_positions, compute_positions
from cavmae_sync.paper import PATCH_SIZE, TOKEN_STD


class Decoder(nn.Module):
    """Blocks shared by both modalities, and one linear prediction for each.

    Args:
        config: Shape of the model.
        shape: Shape of its decoder.

    Source:
        Code: CAV-MAE, `forward_decoder`.
    """

    positions_a_ND: Tensor
    positions_v_ND: Tensor

    def __init__(self, config: ModelConfig, shape: DecoderConfig) -> None:
        super().__init__()
        width = shape.width
        self.embed = nn.Linear(config.width, width)
        self.mask_token = nn.Parameter(torch.zeros(width))
        self.modality_a = nn.Parameter(torch.zeros(width))
        self.modality_v = nn.Parameter(torch.zeros(width))
        self.grids = {"positions_a_ND": config.audio_grid, "positions_v_ND": config.visual_grid}
        for name, grid in self.grids.items():
            add_positions(self, name, width=width, grid=grid, learned=config.learned_positions)
        self.blocks = nn.ModuleList(
            Block(width, heads=shape.heads, mlp_ratio=config.mlp_ratio) for _ in range(shape.depth)
        )
        self.norm = layer_norm(width)
        self.predict_a = nn.Linear(width, PATCH_SIZE**2 * CHANNELS["audio"])
        self.predict_v = nn.Linear(width, PATCH_SIZE**2 * CHANNELS["visual"])

    def forward(
        self,
        audio_PKD: Tensor,
        visual_PKD: Tensor,
        *,
        audio_mask: Mask,
        visual_mask: Mask,
        only_hidden: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Predicted patch values of audio `[P, N, 256]` and of vision `[P, N, 768]`.

        Args:
            audio_PKD: Fused tokens of the kept patches of the segments.
            visual_PKD: The same of the frames.
            audio_mask: What was hidden of the segments.
            visual_mask: What was hidden of the frames.
            only_hidden: Predict the M hidden patches only, in the order of `Mask.hidden_index`; the loss
                reads no others.
        """
        audio_PND = audio_mask.put_back(self.embed(audio_PKD), filler_D=self.mask_token)
        visual_PND = visual_mask.put_back(self.embed(visual_PKD), filler_D=self.mask_token)
        audio_PND = audio_PND + self.positions_a_ND + self.modality_a
        visual_PND = visual_PND + self.positions_v_ND + self.modality_v
        sequence = torch.cat([audio_PND, visual_PND], dim=1)
        split, query_index = audio_PND.shape[1], None
        if only_hidden:
            hidden = audio_mask.hidden_index(), visual_mask.hidden_index() + split
            split, query_index = hidden[0].shape[1], torch.cat(hidden, dim=1)
        decoded = self.norm(run_blocks(self.blocks, sequence, query_index_BM=query_index))
        return self.predict_a(decoded[:, :split]), self.predict_v(decoded[:, split:])

    def compute_positions(self) -> None:
        """Compute the fixed position tables, for a decoder that was built on the meta device."""
        for name, grid in self.grids.items():
            compute_positions(self, name, grid=grid)

    @torch.no_grad()
    def initialize(self, *, generator: torch.Generator | None) -> None:
        """Set fresh weights."""
        initialize_linear(self, generator=generator)
        for token in (self.mask_token, self.modality_a, self.modality_v):
            token.normal_(std=TOKEN_STD, generator=generator)

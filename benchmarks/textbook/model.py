"""CAV-MAE Sync as in a textbook: plain attention, one pair at a time; weights are loaded by name.

Covers the published model and its sizes: global token, registers that stop before the joint layer, one
decoder for both senses. B any batch, N tokens, K kept tokens, D width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.model.positions import sine_cosine_positions

PATCH = 16


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        head_width = width // self.heads
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, head_width).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        weights = (query @ key.transpose(-2, -1)) * head_width**-0.5
        weights = weights.softmax(dim=-1)
        x = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.proj(x)


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: int, suffixes: tuple[str, ...] = ("",)) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = Mlp(width, width * ratio)
        for suffix in suffixes:
            self.add_module(f"norm1{suffix}", nn.LayerNorm(width))
            self.add_module(f"norm2{suffix}", nn.LayerNorm(width))

    def forward(self, x: Tensor, suffix: str = "") -> Tensor:
        x = x + self.attn(getattr(self, f"norm1{suffix}")(x))
        return x + self.mlp(getattr(self, f"norm2{suffix}")(x))


class PatchEmbed(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel_size=PATCH, stride=PATCH)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.proj(inputs).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    def __init__(self, config: ModelConfig, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        width = config.width
        self.patch_embed = PatchEmbed(channels, width)
        self.register_buffer("positions", sine_cosine_positions(width, grid), persistent=False)
        self.modality = nn.Parameter(torch.zeros(width))
        self.global_token = nn.Parameter(torch.zeros(width))
        self.registers = nn.Parameter(torch.zeros(config.registers, width))
        self.blocks = nn.ModuleList(Block(width, config.heads, config.mlp_ratio) for _ in range(config.depth))

    def forward(self, inputs: Tensor, keep: Tensor | None = None) -> Tensor:
        """`[B, 1 + K, D]`: the global token and the patches; registers are left behind."""
        x = self.patch_embed(inputs) + self.positions + self.modality
        if keep is not None:
            x = x.gather(1, keep[:, :, None].expand(-1, -1, x.shape[2]))
        count = len(x)
        global_token = self.global_token.expand(count, 1, -1)
        registers = self.registers.expand(count, -1, -1)
        patches = x.shape[1]
        x = torch.cat([global_token, x, registers], dim=1)
        for block in self.blocks:
            x = block(x)
        return x[:, : 1 + patches]


class Joint(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_ratio, ("", "_a", "_v"))
            for _ in range(config.joint_depth)
        )
        self.norm, self.norm_a, self.norm_v = (nn.LayerNorm(config.width) for _ in range(3))

    def forward(self, x: Tensor, suffix: str = "") -> Tensor:
        for block in self.blocks:
            x = block(x, suffix)
        return getattr(self, f"norm{suffix}")(x)


class Decoder(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        shape = config.decoder
        assert shape is not None
        width = shape.width
        self.embed = nn.Linear(config.width, width)
        self.mask_token, self.modality_a, self.modality_v = (
            nn.Parameter(torch.zeros(width)) for _ in range(3)
        )
        for name, grid in (("a", config.audio_grid), ("v", config.visual_grid)):
            self.register_buffer(f"positions_{name}", sine_cosine_positions(width, grid), persistent=False)
        self.blocks = nn.ModuleList(Block(width, shape.heads, config.mlp_ratio) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(width)
        self.predict_a = nn.Linear(width, PATCH * PATCH)
        self.predict_v = nn.Linear(width, PATCH * PATCH * 3)

    def forward(
        self, audio: Tensor, visual: Tensor, audio_keep: Tensor, visual_keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        audio = self._put_back(self.embed(audio), audio_keep, self.positions_a) + self.modality_a
        visual = self._put_back(self.embed(visual), visual_keep, self.positions_v) + self.modality_v
        x = torch.cat([audio, visual], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        split = audio.shape[1]
        return self.predict_a(x[:, :split]), self.predict_v(x[:, split:])

    def _put_back(self, kept: Tensor, keep: Tensor, positions: Tensor) -> Tensor:
        count, width = len(kept), kept.shape[2]
        x = self.mask_token.expand(count, len(positions), width)
        return x.scatter(1, keep[:, :, None].expand(-1, -1, width), kept) + positions


class TextbookModel(nn.Module):
    """The model; `TextbookModel.like(model)` has the weights of ours."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        plain = config.global_token and config.registers and not config.contrastive_head_depth
        if not plain or config.registers_in_joint or config.learned_positions:
            raise ValueError("the textbook model knows the published configuration and its sizes only")
        self.audio = Encoder(config, 1, config.audio_grid)
        self.visual = Encoder(config, 3, config.visual_grid)
        self.joint = Joint(config)
        self.decoder = Decoder(config) if config.decoder is not None else None

    @classmethod
    def like(cls, model: CAVMAESync) -> "TextbookModel":
        """The textbook model with the very weights of `model`."""
        textbook = cls(model.config).to(next(model.parameters()).dtype)
        textbook.load_state_dict(model.state_dict(), strict=True)
        return textbook

    def encode_audio(self, segments: Tensor) -> Tensor:
        """Global tokens `[B, D]` of segments `[B, L, 128]`."""
        return self.joint(self.audio(segments.transpose(1, 2)[:, None]), "_a")[:, 0]

    def encode_visual(self, frames: Tensor) -> Tensor:
        """Global tokens `[B, D]` of frames `[B, 3, H, W]`."""
        return self.joint(self.visual(frames), "_v")[:, 0]


@torch.no_grad()
def clip_features(model: TextbookModel, frames: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors of sounds and frames `[T, D]`, one pair of frame and segment after the other."""
    audio, visual = [], []
    for frame, segment in zip(frames, segments, strict=True):
        audio.append(F.normalize(model.encode_audio(segment[None]), dim=-1))
        visual.append(F.normalize(model.encode_visual(frame[None]), dim=-1))
    return torch.cat(audio), torch.cat(visual)

"""The shape of a model: plain CAV-MAE, every ablation and every segment length are values of one type."""

from typing import Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.config import Config
from cavmae_sync.inputs import InputConfig


class DecoderConfig(Config):
    """Shape of the pixel decoder, which both modalities share."""

    width: int = Field(paper.DECODER_WIDTH, gt=0)
    """Width of its tokens."""
    depth: int = Field(paper.DECODER_DEPTH, gt=0)
    """Number of blocks."""
    heads: int = Field(paper.DECODER_HEADS, gt=0)
    """Attention heads of each block."""


class ModelConfig(Config):
    """Shape of a model; the defaults are the published CAV-MAE Sync.

    Plain CAV-MAE: `global_token=False, registers=0, inputs.segment_length=1024`.
    """

    inputs: InputConfig = InputConfig()
    """Inputs of the model: frame size, segment length, alignment, statistics."""
    width: int = Field(paper.WIDTH, gt=0)
    """Width of the encoders and the joint layer."""
    depth: int = Field(paper.ENCODER_DEPTH, gt=0)
    """Blocks of each encoder."""
    joint_depth: int = Field(paper.JOINT_DEPTH, gt=0)
    """Blocks of the joint layer; each feeds the next."""
    heads: int = Field(paper.NUM_HEADS, gt=0)
    """Attention heads of the encoders and the joint layer."""
    mlp_ratio: int = Field(paper.MLP_RATIO, gt=0)
    """Hidden width of a block's perceptron over its width, in encoders and decoder."""
    global_token: bool = True
    """Whether each modality has a global token; without it the mean of the patch tokens is compared."""
    registers: int = Field(paper.NUM_REGISTERS, ge=0)
    """Register tokens of each modality."""
    registers_in_joint: bool = False
    """Whether registers pass the joint layer too (paper text) or stop before it (released code)."""
    contrastive_head_depth: int = Field(0, ge=0)
    """Blocks of a head per modality between the joint layer and the contrastive loss; 0 for none."""
    learned_positions: bool = False
    """Whether the position tables are weights, as in fine-tuned classifiers, instead of computed."""
    decoder: DecoderConfig | None = DecoderConfig()
    """Shape of the decoder; None for weights without one, which encode and cannot reconstruct."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        patch = paper.PATCH_SIZE
        for name, value in (
            ("inputs.segment_length", self.inputs.segment_length),
            ("inputs.frame_pixels", self.inputs.frame_pixels),
        ):
            if value % patch:
                raise ValueError(
                    f"{name}={value} must be a multiple of the patch size {patch}. "
                    f"Use {value // patch * patch or patch} or {(value // patch + 1) * patch}."
                )
        stacks = [("", self.width, self.heads)]
        if self.decoder is not None:
            stacks.append(("decoder.", self.decoder.width, self.decoder.heads))
        for group, width, heads in stacks:
            if width % heads:
                raise ValueError(f"{group}width={width} must be a multiple of {group}heads={heads}.")
            if width % 4:
                raise ValueError(f"{group}width={width} must be a multiple of 4 (sine-cosine positions).")
        return self

    @property
    def audio_grid(self) -> tuple[int, int]:
        """Patches of a segment: (frequency rows, time columns)."""
        return paper.NUM_MELS // paper.PATCH_SIZE, self.inputs.segment_length // paper.PATCH_SIZE

    @property
    def visual_grid(self) -> tuple[int, int]:
        """Patches of a frame: (rows, columns)."""
        side = self.inputs.frame_pixels // paper.PATCH_SIZE
        return side, side

"""The whole model: segments and frames in; tokens and reconstructions out.

P (clip, frame) pairs, L spectrogram frames per segment, M mel bins, C H W a frame, N patches (or those that
are predicted), X values of a patch, V views with K patches each.

    segments_PLM ─> audio encoder ──┬─> joint layer, alone ───> aligned audio
                                    ├─> joint layer, together ─> decoder ─> both reconstructions
    frames_PCHW ──> visual encoder ─┴─> joint layer, alone ───> aligned vision
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

from cavmae_sync.errors import WeightsError
from cavmae_sync.model.block import Block, Modality
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.decoder import Decoder
from cavmae_sync.model.encoder import ModalityEncoder
from cavmae_sync.model.joint import JointLayer
from cavmae_sync.model.masking import Mask, MaskPair
from cavmae_sync.model.patches import segment_image
from cavmae_sync.model.positions import has_shapes_only
from cavmae_sync.model.tokens import Encoded, EncodedPair
from cavmae_sync.paper import NUM_MELS

#: Patches that are predicted: all, those that the encoder did not see, or none.
Predicted = Literal["all", "hidden", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestedOutputs:
    """Outputs of a masked pass that a caller reads. The others are not computed; these do not change.

    Attributes:
        predicted: Patches that are predicted.
        predict_every: One of so many pairs is predicted, from the first on.
        patch_tokens: Whether aligned patch tokens are given, or global tokens alone.
    """

    predicted: Predicted = "all"
    predict_every: int = 1
    patch_tokens: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainOutput:
    """Output of a masked pass.

    Attributes:
        audio: Aligned audio tokens of the kept patches.
        visual: Aligned visual tokens of the kept patches.
        audio_reconstruction_PNX: Predicted patch values of the segments, `[P, N, 256]`; where fewer pairs
            are requested, of those alone.
        visual_reconstruction_PNX: Predicted patch values of the frames, `[P, N, 768]`, of as many pairs.
        audio_mask: Patches hidden of those segments.
        visual_mask: Patches hidden of those frames.
        predicted: Patches that the reconstructions are of; "hidden" in the order of `Mask.hidden_index`.
    """

    audio: Encoded
    visual: Encoded
    audio_reconstruction_PNX: Tensor
    visual_reconstruction_PNX: Tensor
    audio_mask: Mask
    visual_mask: Mask
    predicted: Predicted = "all"


class CAVMAESync(nn.Module):
    """CAV-MAE Sync, and plain CAV-MAE as one of its configurations.

    Args:
        config: Shape of the model.
        generator: Source of the fresh weights; None uses the framework's global one.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.audio = ModalityEncoder(config, modality="audio")
        self.visual = ModalityEncoder(config, modality="visual")
        self.joint = JointLayer(config)
        self.decoder = None if config.decoder is None else Decoder(config, config.decoder)
        for part in (self.audio, self.visual, self.joint, self.decoder):
            if part is not None and not has_shapes_only():
                part.initialize(generator=generator)

    @classmethod
    def with_weights(cls, config: ModelConfig, state: Mapping[str, Tensor]) -> Self:
        """Model on the CPU with copies of given weights; no fresh ones are drawn before.

        Args:
            config: Shape of the model.
            state: All tensors of its `state_dict`, of any floating-point type. Fixed position tables, which
                are not among them, are computed.
        """
        with torch.device("meta"):
            model = cls(config)
        # Copies, because tensors of a mapped file change with it. Not `to_empty`: it imports 480 modules.
        copies = {name: torch.empty(value.shape, device="cpu").copy_(value) for name, value in state.items()}
        model.load_state_dict(copies, assign=True)
        for part in (model.audio, model.visual, model.decoder):
            if part is not None:
                part.compute_positions()
        return model

    def encode_audio(
        self, segments_PLM: Tensor, mask: Mask | None = None, *, with_patches: bool = True
    ) -> Encoded:
        """Aligned audio tokens.

        Args:
            segments_PLM: Normalised log-mel `[P, L, 128]` with the configured L.
            mask: Patches to hide; None shows all.
            with_patches: False gives the global token only, and no patches, where the model has one.
        """
        tokens = self.audio(self._segment_images(segments_PLM), mask)
        return self.joint.align(tokens, "audio", with_patches=with_patches)

    def encode_visual(
        self, frames_PCHW: Tensor, mask: Mask | None = None, *, with_patches: bool = True
    ) -> Encoded:
        """Aligned visual tokens.

        Args:
            frames_PCHW: Normalised frames `[P, 3, H, W]` of the configured size.
            mask: Patches to hide; None shows all.
            with_patches: False gives the global token only, and no patches, where the model has one.
        """
        tokens = self.visual(self._checked_frames(frames_PCHW), mask)
        return self.joint.align(tokens, "visual", with_patches=with_patches)

    def encode_views(
        self, inputs: Tensor, shown_VK: Tensor, modality: Modality, *, with_patches: bool = True
    ) -> Encoded:
        """Aligned tokens of several views of each input; a view shows some of the patches.

        The patches of an input are embedded once, and hidden ones cost nothing.

        Args:
            inputs: Normalised segments `[P, L, 128]` or frames `[P, 3, H, W]`.
            shown_VK: int64, indices of the K patches that each of V views shows; the same for all inputs.
            modality: Which of the two the inputs are.
            with_patches: False gives the global token only, and no patches, where the model has one.

        Returns:
            P * V rows: all views of the first input, then those of the second.
        """
        is_audio = modality == "audio"
        encoder = self.audio if is_audio else self.visual
        images = self._segment_images(inputs) if is_audio else self._checked_frames(inputs)
        shown_PVKD = encoder.embed_patches(images)[:, shown_VK]
        return self.joint.align(
            encoder.encode_patches(shown_PVKD.flatten(0, 1)), modality, with_patches=with_patches
        )

    def encode(self, segments_PLM: Tensor, frames_PCHW: Tensor) -> EncodedPair:
        """Aligned tokens of both modalities, nothing hidden."""
        return EncodedPair(audio=self.encode_audio(segments_PLM), visual=self.encode_visual(frames_PCHW))

    def trunk(self, segments_PLM: Tensor, frames_PCHW: Tensor, masks: MaskPair) -> EncodedPair:
        """Tokens of both encoders before the joint layer, registers included."""
        return EncodedPair(
            audio=self.audio(self._segment_images(segments_PLM), masks.audio),
            visual=self.visual(self._checked_frames(frames_PCHW), masks.visual),
        )

    def forward(
        self,
        segments_PLM: Tensor,
        frames_PCHW: Tensor,
        *,
        audio_mask: Mask,
        visual_mask: Mask,
        contrastive_masks: MaskPair | None = None,
        outputs: RequestedOutputs | None = None,
    ) -> PretrainOutput:
        """Masked pass of pretraining.

        Args:
            segments_PLM: Normalised log-mel `[P, L, 128]`.
            frames_PCHW: Normalised frames `[P, 3, H, W]`.
            audio_mask: Patches of the segments hidden from the encoder.
            visual_mask: Patches of the frames hidden from the encoder.
            contrastive_masks: A second encoder pass with these masks gives the aligned tokens; None
                takes them from the same pass, as published.
            outputs: Outputs that are read; None computes all.

        Raises:
            WeightsError: The model has no decoder, and predictions are wanted.

        Source:
            Code: Sync, `CAVMAESync.forward`.
        """
        outputs = outputs or RequestedOutputs()
        if self.decoder is None and outputs.predicted != "none":
            raise WeightsError(
                "These weights have no decoder (decoder=None in their configuration): they encode, but can "
                "neither be pretrained nor reconstruct. Use the pretraining weights they were made from."
            )
        masks = MaskPair(audio=audio_mask, visual=visual_mask)
        # Pairs that are predicted, and their masks.
        some = slice(0) if outputs.predicted == "none" else slice(None, None, outputs.predict_every)
        masks_of_some = MaskPair(audio=audio_mask.part(some), visual=visual_mask.part(some))
        # One pass serves both losses, unless the contrast has masks of its own.
        tokens = self.trunk(segments_PLM, frames_PCHW, contrastive_masks or masks)
        if outputs.predicted == "none":
            audio_PNX = visual_PNX = segments_PLM.new_zeros(0, 0, 1)
        else:
            to_predict = (
                tokens.part(some)
                if contrastive_masks is None
                else self.trunk(segments_PLM[some], frames_PCHW[some], masks_of_some)
            )
            audio_PNX, visual_PNX = self._decode(
                to_predict, masks_of_some, only_hidden=outputs.predicted == "hidden"
            )
        return PretrainOutput(
            audio=self.joint.align(tokens.audio, "audio", with_patches=outputs.patch_tokens),
            visual=self.joint.align(tokens.visual, "visual", with_patches=outputs.patch_tokens),
            audio_reconstruction_PNX=audio_PNX,
            visual_reconstruction_PNX=visual_PNX,
            audio_mask=audio_mask.part(some),
            visual_mask=visual_mask.part(some),
            predicted=outputs.predicted,
        )

    def recompute_blocks(self, *, recompute: bool) -> None:
        """Whether activations inside blocks are dropped and computed again for the backward pass."""
        for module in self.modules():
            if isinstance(module, Block):
                module.recomputes = recompute

    def _decode(self, tokens: EncodedPair, masks: MaskPair, *, only_hidden: bool) -> tuple[Tensor, Tensor]:
        assert self.decoder is not None
        assert masks.audio is not None
        assert masks.visual is not None
        return self.decoder(
            *self.joint.fuse(tokens),
            audio_mask=masks.audio,
            visual_mask=masks.visual,
            only_hidden=only_hidden,
        )

    def _segment_images(self, segments_PLM: Tensor) -> Tensor:
        expected = (self.config.inputs.segment_length, NUM_MELS)
        if segments_PLM.ndim != 3 or tuple(segments_PLM.shape[1:]) != expected:
            raise ValueError(
                f"segments must be [P, {expected[0]}, {expected[1]}], got {tuple(segments_PLM.shape)}"
            )
        return segment_image(segments_PLM)

    def _checked_frames(self, frames_PCHW: Tensor) -> Tensor:
        side = self.config.inputs.frame_pixels
        if frames_PCHW.ndim != 4 or tuple(frames_PCHW.shape[1:]) != (3, side, side):
            raise ValueError(f"frames must be [P, 3, {side}, {side}], got {tuple(frames_PCHW.shape)}")
        return frames_PCHW

"""What one pretraining step computes, as one module: the unit that is wrapped for several processes.

P (clip, frame) pairs, L spectrogram frames per segment, M mel bins, C H W a frame.
"""

from torch import Tensor, nn

from cavmae_sync.choices import Precision
from cavmae_sync.compute import matrix_products_in
from cavmae_sync.losses import Gather, LossConfig, PretrainLosses, pretrain_losses
from cavmae_sync.model import CAVMAESync
from cavmae_sync.training.masks import StepMasks


class PretrainStep(nn.Module):
    """A model and its losses, in the precision of the run.

    Args:
        model: The model.
        losses: What is minimised.
        precision: Precision of the forward pass.
        gather: Brings rows of all processes together.
    """

    def __init__(
        self, model: CAVMAESync, losses: LossConfig, *, precision: Precision, gather: Gather
    ) -> None:
        super().__init__()
        self.model = model
        self.losses, self.precision, self.gather = losses, precision, gather

    def forward(self, segments_PLM: Tensor, frames_PCHW: Tensor, masks: StepMasks) -> PretrainLosses:
        """The losses of one pass."""
        with matrix_products_in(self.precision, segments_PLM.device):
            output = self.model(
                segments_PLM,
                frames_PCHW,
                audio_mask=masks.audio,
                visual_mask=masks.visual,
                contrastive_masks=masks.contrastive,
            )
        return pretrain_losses(
            output,
            segments_PLM,
            frames_PCHW,
            contrastive_weight=self.losses.contrastive_weight,
            reconstruction_weight=self.losses.reconstruction_weight,
            normalize_pixels=self.losses.normalize_pixels,
            contrast=self.losses.contrast,
            gather=self.gather,
        )

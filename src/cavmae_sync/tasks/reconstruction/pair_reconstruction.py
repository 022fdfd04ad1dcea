"""Prediction of the hidden patches of one (frame, segment) pair, put back into the frame and the segment.

P pairs (here one), L spectrogram frames, M mel bins, C H W a frame, N patches, X values of a patch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.choices import Precision
from cavmae_sync.compute import Arithmetic
from cavmae_sync.data import Batch, PairDataset, PreparedDataset
from cavmae_sync.data.draws import Draw, Purpose
from cavmae_sync.embedding.inference import device_of, inference
from cavmae_sync.inputs import InputConfig
from cavmae_sync.inputs.frames import denormalize_frames
from cavmae_sync.inputs.spectrogram import denormalize_spectrogram
from cavmae_sync.model import CAVMAESync, Mask, MaskingConfig, patchify, segment_image, unpatchify
from cavmae_sync.paper import PATCH_SIZE, PIXEL_NORM_EPSILON
from cavmae_sync.tasks.reconstruction.figure import Reconstruction, reconstruction_figure
from cavmae_sync.training import MaskSampler, StepMasks


def reconstruct_pair(
    model: CAVMAESync,
    pair: Batch,
    *,
    masks: StepMasks,
    normalize_pixels: bool,
    precision: Precision = "float32",
) -> tuple[Reconstruction, Reconstruction]:
    """Predict the hidden patches of one (frame, segment) pair.

    A model trained with `normalize_pixels` predicts standardised patches; for looking at them they get the
    mean and deviation of the true patch back, which the model did not predict.

    Args:
        model: The model.
        pair: A batch of one pair.
        masks: What is hidden.
        normalize_pixels: Whether the model was trained to predict standardised patches.
        precision: Precision of matrix products.

    Returns:
        The frame (uint8) and its segment (log-mel).

    Source:
        CAV-MAE's in-painting.
    """
    visual, audio = predict_hidden(
        model, pair, masks=masks, normalize_pixels=normalize_pixels, precision=precision
    )
    return visual.frame(), audio.segment(model.config.inputs)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchPrediction:
    """Prediction of the patches of one frame or segment, in the scale of the model.

    Attributes:
        truth_PNX: True patches.
        predicted_PNX: All patches as predicted, brought to the scale of the truth.
        hidden_PN: Which of them the encoder did not see.
        grid: Rows and columns of patches.
    """

    truth_PNX: Tensor
    predicted_PNX: Tensor
    hidden_PN: Tensor
    grid: tuple[int, int]

    def frame(self, *, with_prediction: bool = False) -> Reconstruction:
        """Reconstruction of a frame, uint8 [H, W, 3]."""
        return self._reconstruction(
            lambda patches_PNX: denormalize_frames(unpatchify(patches_PNX, grid=self.grid))[0].numpy(),
            hidden=self._hidden_pixels(),
            with_prediction=with_prediction,
        )

    def segment(self, config: InputConfig, *, with_prediction: bool = False) -> Reconstruction:
        """Reconstruction of a segment, log-mel [L, M]."""

        def log_mel_of(patches_PNX: Tensor) -> NDArray[np.float32]:
            image_P1ML = unpatchify(patches_PNX, grid=self.grid)
            return denormalize_spectrogram(image_P1ML[0, 0].T, config=config).numpy()

        return self._reconstruction(
            log_mel_of, hidden=self._hidden_pixels().T, with_prediction=with_prediction
        )

    def errors(self) -> dict[str, float]:
        """Mean squared errors on hidden patches, in the scale of the model; {} where nothing is hidden.

        "model" is the prediction; "mean_of_seen" gives every hidden patch the mean of all that was seen;
        "own_mean" gives it its own true mean, which a model with standardised patches is told as well.
        """
        if not bool(self.hidden_PN.any()):
            return {}
        truth_QX = self.truth_PNX[self.hidden_PN]
        guesses = {
            "model": self.predicted_PNX[self.hidden_PN],
            "mean_of_seen": self.truth_PNX[~self.hidden_PN].mean(),
            "own_mean": truth_QX.mean(dim=1, keepdim=True),
        }
        return {name: float((guess - truth_QX).square().mean()) for name, guess in guesses.items()}

    def _reconstruction(
        self,
        image_of: Callable[[Tensor], NDArray[Any]],
        *,
        hidden: NDArray[np.bool_],
        with_prediction: bool,
    ) -> Reconstruction:
        composite_PNX = torch.where(self.hidden_PN.unsqueeze(-1), self.predicted_PNX, self.truth_PNX)
        return Reconstruction(
            original=image_of(self.truth_PNX),
            hidden=hidden,
            composite=image_of(composite_PNX),
            prediction=image_of(self.predicted_PNX) if with_prediction else None,
        )

    def _hidden_pixels(self) -> NDArray[np.bool_]:
        hidden = self.hidden_PN[0].view(self.grid)
        return hidden.repeat_interleave(PATCH_SIZE, 0).repeat_interleave(PATCH_SIZE, 1).numpy()


def predict_hidden(
    model: CAVMAESync,
    pair: Batch,
    *,
    masks: StepMasks,
    normalize_pixels: bool,
    precision: Precision = "float32",
) -> tuple[PatchPrediction, PatchPrediction]:
    """Patches as in `reconstruct_pair`, not yet put back: of the frame and of its segment."""
    device = device_of(model)
    moved, moved_masks = pair.to(device), masks.to(device)
    with inference(model, Arithmetic(device, precision=precision)):
        output = model(
            moved.segments_PLM,
            moved.normalized_frames(),
            audio_mask=moved_masks.audio,
            visual_mask=moved_masks.visual,
        )
    visual = _prediction(
        output.visual_reconstruction_PNX,
        pair.normalized_frames(),
        masks.visual,
        model.config.visual_grid,
        normalize_pixels=normalize_pixels,
    )
    audio = _prediction(
        output.audio_reconstruction_PNX,
        segment_image(pair.segments_PLM),
        masks.audio,
        model.config.audio_grid,
        normalize_pixels=normalize_pixels,
    )
    return visual, audio


def clip_reconstruction_figure(
    model: CAVMAESync,
    clips: PreparedDataset,
    *,
    row: int,
    masking: MaskingConfig,
    normalize_pixels: bool,
    column_inches: float = 3.5,
) -> Figure:
    """Figure of one clip's middle frame and its segment, under a mask that never changes.

    Masks do not change, so that figures of different steps of a training can be compared.

    Args:
        model: The model.
        clips: Prepared clips.
        row: Which of them.
        masking: What to hide.
        normalize_pixels: Whether the model was trained to predict standardised patches.
        column_inches: Width of a column.
    """
    config = model.config
    sampler = MaskSampler(config, masking, seed=0, purpose=Purpose.VALIDATION_MASK)
    frame, segment = reconstruct_pair(
        model,
        PairDataset(clips, inputs=config.inputs, frame="middle")[row],
        masks=sampler.draw([Draw(0, row)]),
        normalize_pixels=normalize_pixels,
    )
    return reconstruction_figure(frame=frame, segment=segment, column_inches=column_inches)


def _prediction(
    prediction_PNX: Tensor,
    images_PCHW: Tensor,
    mask: Mask,
    grid: tuple[int, int],
    *,
    normalize_pixels: bool,
) -> PatchPrediction:
    truth_PNX = patchify(images_PCHW)
    values_PNX = prediction_PNX.float().cpu()
    if normalize_pixels:
        # Trained on patches divided by their own deviation: the true mean and deviation put them back.
        deviation = (truth_PNX.var(dim=-1, keepdim=True) + PIXEL_NORM_EPSILON).sqrt()
        values_PNX = values_PNX * deviation + truth_PNX.mean(dim=-1, keepdim=True)
    return PatchPrediction(truth_PNX=truth_PNX, predicted_PNX=values_PNX, hidden_PN=mask.hidden_PN, grid=grid)

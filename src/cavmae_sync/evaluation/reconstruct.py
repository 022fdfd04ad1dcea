"""A model's predictions of what was hidden, put back into pictures.

P pairs (here one), L spectrogram frames, M mel bins, C H W a frame, N patches, X values of a patch.
"""

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.choices import Precision
from cavmae_sync.data import Batch, PairDataset, PreparedDataset
from cavmae_sync.data.draws import Draw, Purpose
from cavmae_sync.embedding.device import device_of, inference
from cavmae_sync.evaluation.pictures import Reconstruction, reconstruction_picture
from cavmae_sync.inputs.frames import denormalize_frames
from cavmae_sync.inputs.spectrogram import denormalize_spectrogram
from cavmae_sync.model import CAVMAESync, Mask, MaskingConfig, patchify, segment_picture, unpatchify
from cavmae_sync.paper import PATCH_SIZE, PIXEL_NORM_EPSILON
from cavmae_sync.training import MaskSource, StepMasks


def reconstruct(
    model: CAVMAESync,
    pair: Batch,
    *,
    masks: StepMasks,
    normalize_pixels: bool,
    precision: Precision = "float32",
) -> tuple[Reconstruction, Reconstruction]:
    """What a model predicts for the hidden patches of one (frame, segment) pair.

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
        Spec 4.7.
    """
    device = device_of(model)
    moved, moved_masks = pair.to(device), masks.to(device)
    with inference(model, precision=precision):
        output = model(
            moved.segments_PLM,
            moved.frames_PCHW,
            audio_mask=moved_masks.audio,
            visual_mask=moved_masks.visual,
        )
    frame = _composite(
        output.visual_reconstruction_PNX,
        pair.frames_PCHW,
        masks.visual,
        model.config.visual_grid,
        normalize_pixels=normalize_pixels,
    )
    segment = _composite(
        output.audio_reconstruction_PNX,
        segment_picture(pair.segments_PLM),
        masks.audio,
        model.config.audio_grid,
        normalize_pixels=normalize_pixels,
    )
    return _of_frame(model, pair, masks, frame), _of_segment(model, pair, masks, segment)


def picture_of_reconstruction(
    model: CAVMAESync, clips: PreparedDataset, *, row: int, masking: MaskingConfig, normalize_pixels: bool
) -> Figure:
    """What a model predicts for one clip's middle frame and its segment, under a mask that never changes.

    Args:
        model: The model.
        clips: Prepared clips.
        row: Which of them.
        masking: What to hide.
        normalize_pixels: Whether the model was trained to predict standardised patches.
    """
    config = model.config
    source = MaskSource(config, masking, seed=0, purpose=Purpose.VALIDATION_MASK)
    frame, segment = reconstruct(
        model,
        PairDataset(clips, inputs=config.inputs, frame="middle")[row],
        masks=source.draw([Draw(0, row)]),
        normalize_pixels=normalize_pixels,
    )
    return reconstruction_picture(frame=frame, segment=segment)


def rasterize(figure: Figure) -> NDArray[np.uint8]:
    """A figure as uint8 `[H, W, 3]` pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _of_frame(model: CAVMAESync, pair: Batch, masks: StepMasks, frame_PCHW: Tensor) -> Reconstruction:
    return Reconstruction(
        original=denormalize_frames(pair.frames_PCHW)[0].numpy(),
        hidden=_hidden_pixels(masks.visual, model.config.visual_grid),
        predicted=denormalize_frames(frame_PCHW)[0].numpy(),
    )


def _of_segment(model: CAVMAESync, pair: Batch, masks: StepMasks, picture_P1ML: Tensor) -> Reconstruction:
    config = model.config.inputs
    predicted_PLM = picture_P1ML[:, 0].transpose(1, 2)
    return Reconstruction(
        original=denormalize_spectrogram(pair.segments_PLM, config=config)[0].numpy(),
        hidden=_hidden_pixels(masks.audio, model.config.audio_grid).T,
        predicted=denormalize_spectrogram(predicted_PLM, config=config)[0].numpy(),
    )


def _composite(
    prediction_PNX: Tensor,
    pictures_PCHW: Tensor,
    mask: Mask,
    grid: tuple[int, int],
    *,
    normalize_pixels: bool,
) -> Tensor:
    """The picture with its hidden patches replaced by their predictions."""
    truth_PNX = patchify(pictures_PCHW)
    values_PNX = prediction_PNX.float().cpu()
    if normalize_pixels:
        deviation = (truth_PNX.var(dim=-1, keepdim=True) + PIXEL_NORM_EPSILON).sqrt()
        values_PNX = values_PNX * deviation + truth_PNX.mean(dim=-1, keepdim=True)
    return unpatchify(torch.where(mask.hidden_PN.unsqueeze(-1), values_PNX, truth_PNX), grid=grid)


def _hidden_pixels(mask: Mask, grid: tuple[int, int]) -> NDArray[np.bool_]:
    hidden = mask.hidden_PN[0].view(grid)
    return hidden.repeat_interleave(PATCH_SIZE, 0).repeat_interleave(PATCH_SIZE, 1).numpy()

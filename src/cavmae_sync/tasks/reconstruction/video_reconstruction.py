"""Reconstruction of a moment of a video file with most of it hidden, as a figure and as sound.

Letters: T frames, N spectrogram frames, L those of a segment, M mel bins, S samples.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from cavmae_sync.config import Config
from cavmae_sync.data import Batch, Draw
from cavmae_sync.data.draws import Purpose
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs.invert import MIN_SPECTROGRAM_FRAMES, waveform_from_log_mel
from cavmae_sync.inputs.model_input import model_input
from cavmae_sync.inputs.spectrogram import num_spectrogram_frames
from cavmae_sync.media import Clip, probe, read_clip
from cavmae_sync.model import Mask, MaskingConfig
from cavmae_sync.model.masking import MaskMode
from cavmae_sync.paper import CLIP_SECONDS, INPAINT_SEED, MASK_RATIO
from cavmae_sync.tasks.reconstruction.figure import Reconstruction, reconstruction_figure
from cavmae_sync.tasks.reconstruction.pair_reconstruction import predict_hidden
from cavmae_sync.training import MaskSampler, RunFolder, StepMasks

Hide = Literal["audio", "visual", "both"]


class HidingConfig(Config):
    """Choice of the patches that the encoder does not see."""

    mask_ratio: float = Field(MASK_RATIO, gt=0, lt=1)
    """Share of the patches that is hidden."""
    mode: MaskMode = "unstructured"
    """Shape of what is hidden of the sound: single patches, whole times, whole frequencies, or both ("tf").
    """
    hide: Hide = "both"
    """Modality that has patches hidden; the other is seen whole."""
    seed: int = INPAINT_SEED
    """Seed of the choice of patches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoReconstruction:
    """Reconstruction of one moment of a file.

    Attributes:
        seconds: Time of the moment, from the start of the file.
        frame: uint8.
        segment: Log-mel, natural logarithm; rows behind the end of the sound are padding.
        num_sound_rows: Rows of the segment that hold sound.
        errors: Mean squared errors on hidden patches by modality; see `PatchPrediction.errors`.
        normalize_pixels: Whether hidden patches got the mean and deviation of the true patch back.
    """

    seconds: float
    frame: Reconstruction
    segment: Reconstruction
    num_sound_rows: int
    errors: Mapping[str, Mapping[str, float]]
    normalize_pixels: bool

    def waveforms(self, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sound of the reconstructed and of the original segment, both made from their spectrograms alone.

        Returns:
            float32 [S] each, 16 kHz, in [-1, 1]. Approximate: phases are guessed, alike for both.

        Raises:
            ConfigError: There is too little sound.
        """
        if self.num_sound_rows < MIN_SPECTROGRAM_FRAMES:
            raise ConfigError(
                f"There are {self.num_sound_rows} spectrogram frames of sound around {self.seconds:.2f} s, "
                f"{MIN_SPECTROGRAM_FRAMES} are needed to make a waveform. Leave --sound out."
            )
        reconstructed_S, original_S = (
            waveform_from_log_mel(
                log_mel_LM[: self.num_sound_rows], generator=torch.Generator().manual_seed(seed)
            ).numpy()
            for log_mel_LM in (self.segment.composite, self.segment.original)
        )
        return reconstructed_S, original_S

    def figure(self, *, title: str) -> Figure:
        """Figure with original, seen, prediction and composite, of the frame and of its sound."""
        note = "Grey is hidden. Only predictions of hidden places were trained; those of seen ones are noise."
        if self.normalize_pixels:
            note += (
                "\nThis model predicts patches without brightness and contrast: those of the true patch were "
                "put back for this figure."
            )
        return reconstruction_figure(frame=self.frame, segment=self.segment, title=title, note=note)


def reconstruct_video(
    embedder: Embedder,
    path: str | os.PathLike[str],
    *,
    normalize_pixels: bool,
    at_seconds: float | None = None,
    hiding: HidingConfig | None = None,
) -> VideoReconstruction:
    """Hide most of one frame and of the sound around it, and predict it from the rest.

    Args:
        embedder: The model, its device and precision.
        path: Video file with sound.
        normalize_pixels: Whether the model was trained to predict standardised patches.
        at_seconds: Time from the start of the file; the middle unless given. The nearest frame of the clip
            of 10 s around it is taken.
        hiding: What is hidden.

    Raises:
        MediaError: The file cannot be read there, or has no picture or no sound.
        ConfigError: The ratio would hide everything, or the moment is not in the file.

    Source:
        CAV-MAE's in-painting.
    """
    hiding = hiding or HidingConfig()
    clip = _clip_around(Path(path), at_seconds)
    config = embedder.model.config.inputs
    # The sound must lie exactly around the frame: published frames are spread over 10.24 s of padded sound.
    is_centered = config.alignment == "centered"
    inputs = model_input(clip, config if is_centered else config.model_copy(update={"alignment": "valid"}))
    wanted = at_seconds if at_seconds is not None else clip.start_seconds + clip.duration_seconds / 2
    index = int(np.abs(clip.start_seconds + clip.frame_seconds_T - wanted).argmin())
    pair = Batch(
        frames_PHWC=inputs.frames_TCHW[[index]].permute(0, 2, 3, 1),
        segments_PLM=inputs.segments_TLM[[index]],
        clip_index_P=torch.zeros(1, dtype=torch.int64),
        frame_index_P=torch.tensor([index]),
        row_B=torch.zeros(1, dtype=torch.int64),
        clip_ids=(Path(path).name,),
        labels=((),),
    )
    visual, audio = predict_hidden(
        embedder.model,
        pair,
        masks=_masks(embedder, hiding),
        normalize_pixels=normalize_pixels,
        precision=embedder.precision,
    )
    return VideoReconstruction(
        seconds=clip.start_seconds + float(clip.frame_seconds_T[index]),
        frame=visual.frame(with_prediction=True),
        segment=audio.segment(config, with_prediction=True),
        num_sound_rows=config.segment_length
        if is_centered  # silence outside of the clip is sound like any other
        else min(config.segment_length, num_spectrogram_frames(len(clip.waveform_S))),
        errors={"visual": visual.errors(), "audio": audio.errors()},
        normalize_pixels=normalize_pixels,
    )


def trained_on_normalized_pixels(run_or_weights: Path) -> bool:
    """Whether a run was trained to predict standardised patches, from its configuration.

    Raises:
        ConfigError: It is a file of weights, which does not say.
    """
    if run_or_weights.is_dir():
        return RunFolder.open(run_or_weights).config().losses.normalize_pixels
    raise ConfigError(
        f"{run_or_weights} does not say whether it predicts standardised patches. Add --normalized-pixels "
        "(the published model, and the default in training) or --raw-pixels."
    )


def _clip_around(path: Path, at_seconds: float | None) -> Clip:
    duration = probe(path).duration_seconds
    if at_seconds is None:
        at_seconds = 0.0 if duration is None else duration / 2
    if at_seconds < 0 or (duration is not None and at_seconds > duration):
        lasts = "does not say how long it lasts" if duration is None else f"lasts {duration:.2f} s"
        raise ConfigError(f"{path} {lasts}, there is nothing at {at_seconds:.2f} s.")
    return read_clip(path, start_seconds=max(at_seconds - CLIP_SECONDS / 2, 0.0))


def _masks(embedder: Embedder, hiding: HidingConfig) -> StepMasks:
    model = embedder.model.config
    for name, (rows, columns) in (("audio", model.audio_grid), ("visual", model.visual_grid)):
        if hiding.hide in (name, "both") and int(rows * columns * (1 - hiding.mask_ratio)) == 0:
            raise ConfigError(
                f"A mask ratio of {hiding.mask_ratio:g} hides all of the {rows * columns} {name} patches. "
                "Take less."
            )
    sampler = MaskSampler(
        model,
        MaskingConfig(ratio=hiding.mask_ratio, audio_mode=hiding.mode),
        seed=hiding.seed,
        purpose=Purpose.VALIDATION_MASK,
    )
    masks = sampler.draw([Draw(0, 0)])
    return StepMasks(
        audio=masks.audio if hiding.hide != "visual" else _nothing_hidden(masks.audio),
        visual=masks.visual if hiding.hide != "audio" else _nothing_hidden(masks.visual),
        contrastive=None,
    )


def _nothing_hidden(mask: Mask) -> Mask:
    return Mask.from_noise(torch.zeros(mask.hidden_PN.shape), ratio=0)

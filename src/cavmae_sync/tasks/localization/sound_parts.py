"""Measurement of parts of a sound: does the weight fall on the time in which the object of the frame sounds?

N clips, T frames of a clip and as many segments, C columns of a segment, L spectrogram frames, D width,
Q frames of a clip that are measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data import ClipRow, PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import cut_segments, normalize_frames, resize_and_crop
from cavmae_sync.inputs.alignment import Span, segment_spans
from cavmae_sync.maps import MapConfig
from cavmae_sync.maps.sound_parts import column_vectors, sound_part_curves
from cavmae_sync.metrics import Pixels, bootstrap_means, interval, pooled_scores
from cavmae_sync.paper import HOP_MILLISECONDS, WINDOW_MILLISECONDS
from cavmae_sync.stage import ClipTruth, StageTruth
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig
from cavmae_sync.tasks.report import BootstrapConfig, Report, Value
from cavmae_sync.weights import weights_fingerprint

_METRICS: Final = ("share_of_weight", "average_precision")
#: Least energy of a moment, so that its logarithm is finite.
_LEAST_ENERGY: Final = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class _Clip:
    """One clip: what the model makes of it, and the truth.

    Attributes:
        visual_TD: Unit vectors of its frames.
        audio_TD: Unit vectors of its segments.
        columns_TCD: Vectors of the columns of its segments.
        spans: Spans of its segments.
        loudness_L: Root of the energy of each spectrogram frame.
        frames: Frames that are measured.
        truth_QL: For each of them, whether an object that it shows sounding sounds at each time.
    """

    visual_TD: Tensor
    audio_TD: Tensor
    columns_TCD: Tensor
    spans: Sequence[Span]
    loudness_L: Tensor
    frames: Sequence[int]
    truth_QL: NDArray[np.bool_]

    def curves(self, visual_TD: Tensor, columns_TCD: Tensor) -> Tensor:
        """Curves of the measured frames, [Q, L]."""
        curves_TL = sound_part_curves(
            visual_TD, columns_TCD, self.spans, num_spectrogram_frames=len(self.loudness_L)
        )
        return curves_TL[list(self.frames)]


def evaluate_sound_parts(
    embedder: Embedder,
    clips: PreparedDataset,
    truth: StageTruth,
    config: LocalizationConfig,
    *,
    on_progress: OnProgress | None = None,
) -> Report:
    """Report of which part of a clip's sound belongs to each of its frames, by hiding columns of the sound.

    A frame is measured where it shows an object that sounds, and this object does not sound all the time. It
    should get weight at the times at which an object that it shows sounding sounds. Two measures, both means
    over the frames of a clip, and over clips:

    - `share_of_weight`: part of the positive weight that lies at these times; chance is their share.
    - `average_precision` of the weight over time.

    Values without a group are the model's. The groups are controls: `swapped_frame` (frames of the clip half
    of the list away), `untrained`, `whole_segments` (cosine of the frame with each whole segment, without
    hiding) and `loudness` (the sound alone).

    Args:
        embedder: The model and how it computes.
        clips: Clips prepared from a stage.
        truth: Truth of that stage.
        config: Masks, contrast (the mean of all frames is taken off), resamples.
        on_progress: Called with clips done and clips in all, the untrained model's among them.

    Raises:
        DatasetError: No frame can be measured, or the clips are not of this stage.
        WeightsError: The model gives vectors that are not finite.
    """
    done = 0
    of_models: list[list[_Clip]] = []
    for each in (embedder, untrained(embedder)):
        found: list[_Clip] = []
        for index in range(len(clips)):
            found.append(_clip(each, clips, truth, index, config))
            done += 1
            if on_progress is not None:
                on_progress(done, 2 * len(clips))
        of_models.append(_with_contrast(found) if config.contrast else found)
    own = of_models[0]
    num_frames = sum(len(clip.frames) for clip in own)
    if num_frames == 0:
        raise DatasetError(
            f"No frame of {clips.folder} shows an object that sounds at some times and not at others, so "
            "there is nothing to measure. Use more clips, or clips with sound."
        )
    values = {name: _values(own, curves) for name, curves in _all_curves(of_models).items()}
    return Report(
        name="parts of the sound that belong to a frame",
        metrics=_metrics(values, own, config),
        counts={"clips": len(clips), "frames": num_frames},
        config=BootstrapConfig(num_bootstrap=config.num_bootstrap, seed=config.seed),
        made_with=_made_with(config),
        weights=weights_fingerprint(embedder.model),
        clip_list=clips.list_sha256,
    )


def _made_with(config: MapConfig) -> dict[str, Any]:
    fields = {"contrast", "num_masks", "mask_ratio", "ridge", "mask_seed"}
    return config.model_dump(mode="json", include=fields)


def _clip(
    embedder: Embedder, clips: PreparedDataset, truth: StageTruth, index: int, config: MapConfig
) -> _Clip:
    row, inputs = clips.row(index), embedder.model.config.inputs
    length = clips.num_spectrogram_frames(index)
    log_mel_LM = torch.from_numpy(clips.read_log_mel_rows(index, start=0, stop=length)).float()
    frame_seconds = clips.frame_seconds(index)
    segments_TLM = cut_segments(log_mel_LM, frame_seconds=frame_seconds, config=inputs)
    frames_THWC = clips.read_frames([(index, frame) for frame in range(clips.num_frames)]).numpy()
    frames_TCHW = normalize_frames(resize_and_crop(frames_THWC, pixels=inputs.frame_pixels))
    truth_TL = _truth(truth.for_clip(row), row, frame_seconds, length)
    share_T = truth_TL.mean(axis=1)
    frames = np.flatnonzero((share_T > 0) & (share_T < 1)).tolist()
    return _Clip(
        visual_TD=embedder.embed_frames(frames_TCHW).visual_PD,
        audio_TD=embedder.embed_segments(segments_TLM),
        columns_TCD=column_vectors(embedder, segments_TLM, config),
        spans=segment_spans(length, frame_seconds=frame_seconds, config=inputs),
        loudness_L=log_mel_LM.exp().sum(dim=1).clamp(min=_LEAST_ENERGY).sqrt(),
        frames=frames,
        truth_QL=truth_TL[frames],
    )


def _truth(
    truth: ClipTruth, row: ClipRow, frame_seconds: NDArray[np.float64], length: int
) -> NDArray[np.bool_]:
    """Whether an object that a frame shows sounding sounds at each spectrogram frame, bool [T, L]."""
    middles = (np.arange(length) * HOP_MILLISECONDS + WINDOW_MILLISECONDS / 2) / 1000
    heard = [set(truth.sounding(row.start_seconds + float(seconds))) for seconds in middles]
    shown: list[set[int]] = []
    for seconds in frame_seconds:
        index = truth.frame_index(row.start_seconds + seconds)
        visible = {each.number for each in truth.objects if each.is_on_stage and each.is_visible_T[index]}
        shown.append(visible & set(truth.sounding(row.start_seconds + seconds)))
    return np.array([[bool(numbers & now) for now in heard] for numbers in shown])


def _with_contrast(clips: Sequence[_Clip]) -> list[_Clip]:
    """The same clips, with the mean of all frames taken off their frames."""
    mean_D = torch.cat([clip.visual_TD for clip in clips]).mean(dim=0)
    return [replace(clip, visual_TD=clip.visual_TD - mean_D) for clip in clips]


def _all_curves(of_models: Sequence[Sequence[_Clip]]) -> Mapping[str, list[Tensor]]:
    """Curves [Q, L] of every clip, by the name of what made them; the model's has no name."""
    own, fresh = of_models
    others = [*own[len(own) // 2 :], *own[: len(own) // 2]]
    num_columns = own[0].columns_TCD.shape[1]
    return {
        "": [clip.curves(clip.visual_TD, clip.columns_TCD) for clip in own],
        "swapped_frame": [
            clip.curves(other.visual_TD, clip.columns_TCD) for clip, other in zip(own, others, strict=True)
        ],
        "untrained": [clip.curves(clip.visual_TD, clip.columns_TCD) for clip in fresh],
        "whole_segments": [
            clip.curves(clip.visual_TD, clip.audio_TD[:, None].expand(-1, num_columns, -1)) for clip in own
        ],
        "loudness": [clip.loudness_L.expand(len(clip.frames), -1) for clip in own],
    }


def _values(clips: Sequence[_Clip], curves: Sequence[Tensor]) -> NDArray[np.float64]:
    """Share of weight and average precision of every clip that has frames, float64 [2, N]."""
    return np.array(
        [np.mean(list(_of_frames(clip, of_clip)), axis=0) for clip, of_clip in zip(clips, curves, strict=True)
         if clip.frames]
    ).T  # fmt: skip


def _of_frames(clip: _Clip, curves_QL: Tensor) -> Iterator[tuple[float, float]]:
    for truth_L, curve_L in zip(clip.truth_QL, curves_QL.float().numpy(), strict=True):
        scores = pooled_scores([Pixels(scores_N=np.ascontiguousarray(curve_L), truth_N=truth_L)])
        assert scores is not None  # the truth of a measured frame has positive times
        yield share_of_weight(curve_L, truth_L), scores.average_precision


def share_of_weight(curve_L: NDArray[np.float32], truth_L: NDArray[np.bool_]) -> float:
    """Part of the positive weight that lies where the truth is; a curve without positive weight guesses."""
    weight_L = np.maximum(curve_L, 0).astype(np.float64)
    total = weight_L.sum()
    return float(weight_L[truth_L].sum() / total) if total > 0 else float(truth_L.mean())


def _metrics(
    values: Mapping[str, NDArray[np.float64]], clips: Sequence[_Clip], config: BootstrapConfig
) -> dict[str, Value]:
    chance = float(np.mean([clip.truth_QL.mean() for clip in clips if clip.frames]))
    metrics: dict[str, Value] = {}
    for name, values_2N in values.items():
        ends = [None, None]
        if config.num_bootstrap:
            samples_2X = bootstrap_means(
                torch.from_numpy(values_2N),
                num_resamples=config.num_bootstrap,
                generator=torch.Generator().manual_seed(config.seed),
            )
            ends = [interval(samples_X) for samples_X in samples_2X]
        for metric, value, of_metric in zip(_METRICS, values_2N.mean(axis=1), ends, strict=True):
            metrics[f"{name}/{metric}" if name else metric] = Value(
                value=float(value),
                chance=chance,
                low=None if of_metric is None else of_metric.low,
                high=None if of_metric is None else of_metric.high,
            )
    return metrics

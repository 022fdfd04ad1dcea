"""Fault probe: clips of a dataset in memory, and their vectors with any change on the way to them.

Letters: N clips, F checked frames, T frames of a clip, P pairs, C channels, H W pixels, L spectrogram
frames of a segment, M mel bins, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.doctor.faults import Change
from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.inputs.spectrogram import num_spectrogram_frames
from cavmae_sync.paper import SAMPLE_RATE_HZ, SPECTROGRAM_PADDING

#: Checked frames of each clip. More would cost time and tell little: statistics are over clips.
NUM_CHECKED_FRAMES: Final = 4


def checked_frames(num_frames: int, *, covered: float = 1.0) -> tuple[int, ...]:
    """Frames to check, spread over the covered part of a clip, symmetric in time.

    >>> checked_frames(16)
    (1, 5, 10, 14)
    """
    count = max(1, int(num_frames * covered))
    num_checked = min(NUM_CHECKED_FRAMES, count)
    first = [int((k + 0.5) * count / num_checked - 0.5) for k in range((num_checked + 1) // 2)]
    return tuple(sorted({*first, *(count - 1 - frame for frame in first)}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Vectors:
    """Vectors of the checked frames of all clips.

    Attributes:
        audio_NFD: float32, unit rows; NaN where the model gives a zero vector.
        visual_NFD: float32, of the same shape.
    """

    audio_NFD: Tensor
    visual_NFD: Tensor


class FaultProbe:
    """Vectors of clips with changes on the way to them. What is encoded once is kept.

    Args:
        embedder: The model and how it computes.
        clips: The clips to read, all of them.
        on_encoded: Called after each encoding: one frame, or one segment, of all clips.
    """

    def __init__(
        self, embedder: Embedder, clips: PreparedDataset, *, on_encoded: Callable[[], None] | None = None
    ) -> None:
        self.embedder = embedder
        self.clips = clips
        self.num_encoded = 0
        self._on_encoded = on_encoded or (lambda: None)
        self._cache: dict[tuple[object, ...], Tensor] = {}
        self._models: dict[object, Embedder] = {}
        self._spectrograms_after: dict[object, list[Tensor]] = {}

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return self.clips.num_frames

    def vectors(self, change: Change | None = None, *, frames: Sequence[int] | None = None) -> Vectors:
        """Vectors of the checked frames of all clips.

        Args:
            change: Change on the way to the vectors; None is the right way.
            frames: Frames to check; None takes `checked_frames` of the part that the change covers.
        """
        change = change or Change()
        chosen = tuple(frames or checked_frames(self.num_frames, covered=change.covered))
        audio_NFD = self._audio(change, chosen)
        if change.clip_shift:
            audio_NFD = audio_NFD.roll(-change.clip_shift, dims=0)
        return Vectors(audio_NFD=audio_NFD, visual_NFD=self._visual(change, chosen))

    def shuffled(self, order: Sequence[int]) -> Vectors:
        """Vectors of unchanged frames, paired with other clips' sounds, encoded again in that order.

        Args:
            order: For each place, the index of the clip whose sound stands there.
        """
        columns: list[Tensor] = []
        for frame in checked_frames(self.num_frames):
            segments_NLM = self._segments(Change(), frame)[torch.tensor(order)]
            columns.append(self.embedder.embed_segments(segments_NLM))
            self._count()
        return Vectors(audio_NFD=torch.stack(columns, dim=1), visual_NFD=self.vectors().visual_NFD)

    def stored_frames(self, frames: Sequence[int]) -> Tensor:
        """Frames of all clips as stored, resized for the model: uint8 [N, F, H, W, C]."""
        pixels = self._inputs.frame_pixels
        columns = [self._cached(("pixels", frame), lambda frame=frame: self._read(frame)) for frame in frames]
        frames_NFHWC = torch.stack(columns, dim=1)
        return resize_and_crop(frames_NFHWC.flatten(0, 1), pixels=pixels).unflatten(0, (-1, len(frames)))

    @property
    def _inputs(self) -> InputConfig:
        return self.embedder.model.config.inputs

    def _read(self, frame: int) -> Tensor:
        return torch.from_numpy(np.stack([self.clips.read_frame(i, frame) for i in range(len(self.clips))]))

    # Keys hold the steps of one modality only: a change of sound reuses all encoded frames, and vice versa.

    def _visual(self, change: Change, frames: tuple[int, ...]) -> Tensor:
        order = change.frame_order
        places = frames if order is None else tuple(order(self.num_frames)[frame] for frame in frames)
        columns = [
            self._cached(
                ("visual", change.frames, change.model, place),
                lambda place=place: self._encode_frames(change, place),
            )
            for place in places
        ]
        return torch.stack(columns, dim=1)

    def _encode_frames(self, change: Change, place: int) -> Tensor:
        frames_NCHW = normalize_frames(self.stored_frames([place])[:, 0])
        if change.frames is not None:
            frames_NCHW = change.frames(frames_NCHW)
        vectors_ND = self._model(change).embed_frames(frames_NCHW).visual_PD
        self._count()
        return vectors_ND

    def _audio(self, change: Change, frames: tuple[int, ...]) -> Tensor:
        columns = [
            self._cached(
                ("audio", change.segments, change.waveform, change.sound_times, change.model, frame),
                lambda frame=frame: self._encode_sounds(change, frame),
            )
            for frame in frames
        ]
        return torch.stack(columns, dim=1)

    def _encode_sounds(self, change: Change, frame: int) -> Tensor:
        vectors_ND = self._model(change).embed_segments(self._segments(change, frame))
        self._count()
        return vectors_ND

    def _segments(self, change: Change, frame: int) -> Tensor:
        times, parts = change.sound_times
        segments_NLM = torch.cat(
            [
                cut_segments(
                    spectrogram_NM,
                    frame_seconds=_paired_seconds(self.clips.frame_seconds(i), times, parts),
                    frame_indices=[frame * times],
                    config=self._inputs,
                )
                for i, spectrogram_NM in enumerate(self._spectrograms(change))
            ]
        )
        if change.segments is not None:
            segments_NLM = change.segments(segments_NLM, self._inputs)
        return segments_NLM

    def _spectrograms(self, change: Change) -> list[Tensor]:
        if change.waveform not in self._spectrograms_after:
            indices = range(len(self.clips))
            self._spectrograms_after[change.waveform] = [self._spectrogram(i, change) for i in indices]
        return self._spectrograms_after[change.waveform]

    def _spectrogram(self, index: int, change: Change) -> Tensor:
        """Stored log-mel; from a changed waveform, cut or padded to the clip's length to keep times right."""
        if change.waveform is None:
            rows = self.clips.num_spectrogram_frames(index)
            return torch.from_numpy(self.clips.read_log_mel_rows(index, start=0, stop=rows)).float()
        row = self.clips.row(index)
        samples = round((row.stop_seconds - row.start_seconds) * SAMPLE_RATE_HZ)
        spectrogram_NM = log_mel(change.waveform(self.clips.read_waveform(index)))
        return fit_rows(spectrogram_NM, num_spectrogram_frames(samples))

    def _count(self) -> None:
        self.num_encoded += 1
        self._on_encoded()

    def _model(self, change: Change) -> Embedder:
        if change.model is None:
            return self.embedder
        if change.model not in self._models:
            self._models[change.model] = self.embedder.replace(change.model(self.embedder.model))
        return self._models[change.model]

    def _cached(self, key: tuple[object, ...], make: Callable[[], Tensor]) -> Tensor:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]


def _paired_seconds(seconds_T: NDArray[np.float64], times: int, parts: int) -> NDArray[np.float64]:
    """Times of T * `parts` frames: number i * `times` is at `times` / `parts` of the time of frame i."""
    places = np.arange(len(seconds_T) * parts) / times
    return np.interp(places, np.arange(len(seconds_T)), seconds_T) * (times / parts)


def fit_rows(spectrogram_NM: Tensor, num_rows: int) -> Tensor:
    """Spectrogram, cut or padded to this many rows."""
    missing = max(0, num_rows - len(spectrogram_NM))
    return F.pad(spectrogram_NM[:num_rows], (0, 0, 0, missing), value=SPECTROGRAM_PADDING)

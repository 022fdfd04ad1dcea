"""Some clips of a dataset in memory, and their vectors under any change of the way to them.

Letters: N clips, F frames looked at, T frames of a clip, P pairs, C channels, H W pixels, L spectrogram
frames of a segment, M mel bins, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.doctor.faults import Change
from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.inputs.spectrogram import num_spectrogram_frames
from cavmae_sync.paper import SAMPLE_RATE_HZ, SPECTROGRAM_PADDING

#: Frames of each clip that are looked at. More cost time and tell little more: clips count, not frames.
NUM_CHECKED_FRAMES: Final = 4

Tick = Callable[[], None]


def checked_frames(num_frames: int, *, covered: float = 1.0) -> tuple[int, ...]:
    """Frames spread over the part of a clip that is covered, the same seen from both ends.

    >>> checked_frames(16)
    (1, 5, 10, 14)
    """
    count = max(1, int(num_frames * covered))
    num_checked = min(NUM_CHECKED_FRAMES, count)
    first = [int((k + 0.5) * count / num_checked - 0.5) for k in range((num_checked + 1) // 2)]
    return tuple(sorted({*first, *(count - 1 - frame for frame in first)}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Vectors:
    """Vectors of some frames of the clips.

    Attributes:
        audio_NFD: float32, unit rows; NaN where the model gives no direction.
        visual_NFD: float32, of the same shape.
    """

    audio_NFD: Tensor
    visual_NFD: Tensor


class FaultProbe:
    """Clips that were read once. Pictures and sounds are encoded when first asked for, and kept.

    Args:
        embedder: The model and how it computes.
        clips: The clips, all of them.
        on_part: Called after each part is encoded.
    """

    def __init__(self, embedder: Embedder, clips: PreparedDataset, *, on_part: Tick | None = None) -> None:
        self.embedder = embedder
        self.clips = clips
        self.num_encoded = 0
        self._on_part = on_part or (lambda: None)
        self._kept: dict[tuple[object, ...], Tensor] = {}
        self._models: dict[object, Embedder] = {}
        self._spectrograms_after: dict[object, list[Tensor]] = {}

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return self.clips.num_frames

    def vectors(self, change: Change | None = None, *, frames: Sequence[int] | None = None) -> Vectors:
        """Vectors of some frames of all clips.

        Args:
            change: What to do otherwise than right.
            frames: Which frames; `checked_frames` of the part that the change covers, unless given.
        """
        change = change or Change()
        chosen = tuple(frames or checked_frames(self.num_frames, covered=change.covered))
        audio_NFD = self._audio(change, chosen)
        if change.clip_shift:
            audio_NFD = audio_NFD.roll(-change.clip_shift, dims=0)
        return Vectors(audio_NFD=audio_NFD, visual_NFD=self._visual(change, chosen))

    def shuffled(self, order: Sequence[int]) -> Vectors:
        """Pictures as they are; in their places the sounds of other clips, encoded anew in that order.

        Args:
            order: For each place, which clip's sound stands there.
        """
        columns: list[Tensor] = []
        for frame in checked_frames(self.num_frames):
            segments_NLM = self._segments(Change(), frame)[torch.tensor(order)]
            columns.append(self.embedder.embed_segments(segments_NLM))
            self._count()
        return Vectors(audio_NFD=torch.stack(columns, dim=1), visual_NFD=self.vectors().visual_NFD)

    def pictures(self, frames: Sequence[int]) -> Tensor:
        """Some frames of all clips as stored, scaled to the model's size: uint8 [N, F, H, W, C]."""
        pixels = self._inputs.frame_pixels
        columns = [
            self._kept_or(("pixels", frame), lambda frame=frame: self._read(frame)) for frame in frames
        ]
        shown_NFHWC = torch.stack(columns, dim=1)
        return resize_and_crop(shown_NFHWC.flatten(0, 1), pixels=pixels).unflatten(0, (-1, len(frames)))

    @property
    def _inputs(self) -> InputConfig:
        return self.embedder.model.config.inputs

    def _read(self, frame: int) -> Tensor:
        return torch.from_numpy(np.stack([self.clips.read_frame(i, frame) for i in range(len(self.clips))]))

    def _visual(self, change: Change, frames: tuple[int, ...]) -> Tensor:
        order = change.picture_order
        places = frames if order is None else tuple(order(self.num_frames)[frame] for frame in frames)
        columns = [
            self._kept_or(
                ("visual", change.pictures, change.model, place),
                lambda place=place: self._encode_pictures(change, place),
            )
            for place in places
        ]
        return torch.stack(columns, dim=1)

    def _encode_pictures(self, change: Change, place: int) -> Tensor:
        frames_NCHW = normalize_frames(self.pictures([place])[:, 0])
        if change.pictures is not None:
            frames_NCHW = change.pictures(frames_NCHW)
        vectors_ND = self._model(change).embed_frames(frames_NCHW).visual_PD
        self._count()
        return vectors_ND

    def _audio(self, change: Change, frames: tuple[int, ...]) -> Tensor:
        columns = [
            self._kept_or(
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
                    frame_indices=[frame * times],
                    num_frames=self.num_frames * parts,
                    config=self._inputs,
                )
                for spectrogram_NM in self._spectrograms(change)
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
        """Log-mel as stored; after a change of the waveform as long as the clip, so that times stay right."""
        if change.waveform is None:
            rows = self.clips.num_spectrogram_frames(index)
            return torch.from_numpy(self.clips.read_log_mel_rows(index, start=0, stop=rows)).float()
        row = self.clips.row(index)
        samples = round((row.stop_seconds - row.start_seconds) * SAMPLE_RATE_HZ)
        spectrogram_NM = log_mel(change.waveform(self.clips.read_waveform(index)))
        return fit_rows(spectrogram_NM, num_spectrogram_frames(samples))

    def _count(self) -> None:
        self.num_encoded += 1
        self._on_part()

    def _model(self, change: Change) -> Embedder:
        if change.model is None:
            return self.embedder
        if change.model not in self._models:
            self._models[change.model] = self.embedder.replace(change.model(self.embedder.model))
        return self._models[change.model]

    def _kept_or(self, key: tuple[object, ...], make: Callable[[], Tensor]) -> Tensor:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def fit_rows(spectrogram_NM: Tensor, num_rows: int) -> Tensor:
    """A spectrogram cut or padded to so many rows."""
    missing = max(0, num_rows - len(spectrogram_NM))
    return F.pad(spectrogram_NM[:num_rows], (0, 0, 0, missing), value=SPECTROGRAM_PADDING)

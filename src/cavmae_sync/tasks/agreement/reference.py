"""Reference: clips of other videos, with whose sounds the sound of a video is compared.

Letters: T moments, D width, N clips of a reference, K moments of such a clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.audit.overlap import without_file
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding.embedder import Embedder, OnProgress
from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import resize_and_crop
from cavmae_sync.tasks.agreement.chance import ForeignSound
from cavmae_sync.tasks.agreement.moments import EmbeddedMoments, MomentInputs, embed_inputs, sound_windows
from cavmae_sync.weights import weights_fingerprint

#: Fewer clips say little about the ends of what chance gives.
MIN_REFERENCE_CLIPS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Clips in which sound and picture belong together, and whose sound is foreign to any other video.

    Attributes:
        clips: Vectors of each clip; all of equal length.
        name: Where they are from.
        clip_list: Fingerprint of which clips these are.
        weights: Fingerprint of the weights that made the vectors.
        num_left_out: Clips of the very video that is judged, which are left out.
    """

    clips: tuple[EmbeddedMoments, ...]
    name: str
    clip_list: str
    weights: str
    num_left_out: int = 0

    @cached_property
    def _audio_NKD(self) -> Tensor:  # noqa: N802
        return torch.stack([clip.audio_TD for clip in self.clips])

    def nearness(
        self, moments: EmbeddedMoments, *, heard_T: NDArray[np.bool_], without: int | None = None
    ) -> tuple[float, float]:
        """Nearness of a video to these clips: largest cosine of a moment with any of theirs, averaged.

        Args:
            moments: The video.
            heard_T: Moments with sound, one at least; only these count for the nearness of sounds.
            without: A clip to leave out: the one that the video is.

        Returns:
            Nearness of its sounds and of its frames, in [-1, 1].
        """
        others = [clip for number, clip in enumerate(self.clips) if number != without]
        heard_TD = moments.audio_TD[torch.from_numpy(heard_T)]
        audio_KD = torch.cat([clip.audio_TD for clip in others])
        visual_KD = torch.cat([clip.visual_TD for clip in others])
        return (
            float((heard_TD @ audio_KD.T).amax(dim=1).mean()),
            float((moments.visual_TD @ visual_KD.T).amax(dim=1).mean()),
        )

    def foreign_sounds(
        self,
        moments: EmbeddedMoments,
        *,
        silent_below_dbfs: float,
        num_sounds: int,
        generator: np.random.Generator,
        without: int | None = None,
    ) -> Iterator[ForeignSound]:
        """Foreign sounds for a video: clips in random order, one after the other, at their own pace.

        Args:
            moments: The video.
            silent_below_dbfs: Quieter sound is none.
            num_sounds: How many.
            generator: Of the order.
            without: A clip to leave out: the one that the video is.
        """
        first = self.clips[0]
        clip_seconds = first.step_seconds * len(first.seconds_T)
        # A clip may have another step than the video, so moments are matched by time and not by number.
        passed_T = moments.seconds_T - moments.seconds_T[0] + 1e-9
        place_T = (passed_T // clip_seconds).astype(int)
        within_T = (
            (passed_T % clip_seconds / first.step_seconds).astype(int).clip(0, len(first.seconds_T) - 1)
        )
        heard_NK = np.stack([clip.heard(silent_below_dbfs) for clip in self.clips])
        others = np.array([number for number in range(len(self.clips)) if number != without])
        for _ in range(num_sounds):
            clip_T = others[generator.integers(len(others), size=place_T[-1] + 1)][place_T]
            yield ForeignSound(self._audio_NKD[clip_T, within_T], heard_NK[clip_T, within_T])


def embed_clips(
    embedder: Embedder, clips: PreparedDataset, *, on_progress: OnProgress | None = None
) -> list[EmbeddedMoments]:
    """Vectors of each clip of a prepared dataset: its frames, and the sound exactly around each.

    Not as in `Embedder.embed_dataset`, which cuts segments by the published rule.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips.
        on_progress: Called with clips done and clips in all.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    config = embedder.model.config.inputs
    embedded = []
    for index in range(len(clips)):
        frames_THWC = np.stack([clips.read_frame(index, frame) for frame in range(clips.num_frames)])
        seconds_T = np.asarray(clips.row(index).frame_seconds)
        segments_TLM, loudness_T = sound_windows(clips.read_waveform(index), seconds_T, config=config)
        inputs = MomentInputs(
            seconds_T=seconds_T,
            frames_THWC=resize_and_crop(frames_THWC, pixels=config.frame_pixels).numpy(),
            segments_TLM=segments_TLM,
            loudness_T=loudness_T,
        )
        embedded.append(embed_inputs(embedder, inputs))
        if on_progress is not None:
            on_progress(index + 1, len(clips))
    return embedded


def full_clips(clips: PreparedDataset) -> list[int]:
    """Rows of the clips that are as long as the others and no copies.

    Short clips are left out because their frames lie closer together, clips of one frame because they have
    no step, duplicates because they would not be foreign to each other.
    """
    rows = [clips.row(index) for index in range(len(clips))]
    return [
        index
        for index, row in enumerate(rows)
        if not (row.is_short or row.is_duplicate) and (np.diff(row.frame_seconds) > 0).all()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceClips:
    """Clips that can be a reference, chosen from the table only; nothing is computed yet.

    Attributes:
        clips: The full clips of a prepared dataset, see `full_clips`.
        num_left_out: Clips of the very video that is judged, which are left out.
    """

    clips: PreparedDataset
    num_left_out: int


def choose_reference(clips: PreparedDataset, *, video: Path | None = None) -> ReferenceClips:
    """Choose the clips that a video can be compared with, before any work.

    Args:
        clips: The dataset.
        video: The video to be judged. Clips cut from the same file are left out: their sound is not foreign.

    Raises:
        DatasetError: Fewer than 20 clips are of full length, or all of them are silent.
    """
    full = clips.subset(full_clips(clips))
    _check_enough(full)
    rest = full if video is None else without_file(full, video)
    _check_enough(rest, num_left_out=len(full) - len(rest))
    if all(rest.row(row).is_silent for row in range(len(rest))):
        raise DatasetError(
            f"{clips.folder} cannot be a reference: all of its clips are silent. Take clips with sound."
        )
    return ReferenceClips(clips=rest, num_left_out=len(full) - len(rest))


def _check_enough(full: PreparedDataset, *, num_left_out: int = 0) -> None:
    if len(full) < MIN_REFERENCE_CLIPS:
        own = f", without {num_left_out} clips of this very video" if num_left_out else ""
        raise DatasetError(
            f"{full.folder} has {len(full)} clips of full length{own}, but a reference needs at least "
            f"{MIN_REFERENCE_CLIPS} to say what chance gives. Prepare more videos like this one, or leave "
            "out --reference to compare the video with itself."
        )


def embed_reference(
    embedder: Embedder, chosen: ReferenceClips, *, on_progress: OnProgress | None = None
) -> Reference:
    """Reference made of chosen clips.

    Args:
        embedder: The model.
        chosen: From `choose_reference`.
        on_progress: Called with clips done and clips in all.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    return Reference(
        clips=tuple(embed_clips(embedder, chosen.clips, on_progress=on_progress)),
        name=str(chosen.clips.folder),
        clip_list=chosen.clips.list_sha256,
        weights=weights_fingerprint(embedder.model),
        num_left_out=chosen.num_left_out,
    )

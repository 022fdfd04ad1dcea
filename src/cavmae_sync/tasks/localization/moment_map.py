"""Map of one moment of a video: where in its frame the sound around it is.

Letters: H W patches.
"""

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cavmae_sync.embedding import EmbeddedClip, Embedder
from cavmae_sync.inputs.model_input import model_input
from cavmae_sync.maps import MapConfig
from cavmae_sync.media import Clip, read_audio
from cavmae_sync.media.read import read_frame
from cavmae_sync.paper import HOP_MILLISECONDS, SAMPLE_RATE_HZ
from cavmae_sync.tasks.localization.localize_video import clip_maps, own_sound


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MomentMap:
    """Map of a moment.

    Attributes:
        seconds: Time of the moment in its file.
        map_HW: float32: what the sound has to do with each patch of the middle square of the frame.
        is_silent: Whether the sound around the moment is silent.
    """

    seconds: float
    map_HW: Tensor
    is_silent: bool


def window_of(embedder: Embedder) -> float:
    """Length of the sound around a moment, seconds."""
    return embedder.model.config.inputs.segment_length * HOP_MILLISECONDS / 1000


def decode_moment(path: str | os.PathLike[str], seconds: float, *, window_seconds: float) -> Clip:
    """Moment of a video: the frame on screen at a time, and the sound around it. Needs no model.

    Args:
        path: Video file with sound.
        seconds: The time, on the file's timeline.
        window_seconds: Length of the sound around it.

    Raises:
        MediaError: The file has no picture or no sound there, or cannot be read.
    """
    seconds = max(seconds, 0.0)
    frame_HWC = read_frame(path, seconds)
    start = max(seconds - window_seconds, 0.0)
    sound_S = read_audio(path, start_seconds=start, duration_seconds=2 * window_seconds)
    return Clip(
        frames_THWC=frame_HWC[None],
        frame_seconds_T=np.array([seconds - start]),
        waveform_S=sound_S,
        start_seconds=start,
        duration_seconds=max(len(sound_S) / SAMPLE_RATE_HZ, seconds - start),
    )


def map_of(embedder: Embedder, moment: Clip, *, config: MapConfig) -> MomentMap:
    """Map of the frame of a moment, asked by the sound around it.

    Args:
        embedder: The model and how it computes.
        moment: One frame with its sound, from `decode_moment`.
        config: How the map is made; without `contrast`.

    Raises:
        ConfigError: The rule needs a global token that the model has not.
    """
    made = model_input(moment, embedder.model.config.inputs.model_copy(update={"alignment": "centered"}))
    vectors = embedder.embed_inputs(
        made,
        frame_seconds_T=torch.from_numpy(moment.frame_seconds_T.copy()),
        start_seconds=moment.start_seconds,
        with_patches=config.map == "cosine",
    )
    part = EmbeddedClip(clip=moment, inputs=made, embedding=vectors)
    found = clip_maps(embedder, part, own_sound(config))
    return MomentMap(
        seconds=moment.start_seconds + float(moment.frame_seconds_T[0]),
        map_HW=found.maps_THW[0],
        is_silent=bool(found.is_silent_T[0]),
    )

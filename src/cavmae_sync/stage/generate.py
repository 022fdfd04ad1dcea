"""One clip in memory: plan, sound, picture, truth.

Shape letters: T frames, H W pixels, C channels, S samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.frames import render
from cavmae_sync.stage.pack import Pack, StageObject, objects_of
from cavmae_sync.stage.scene import Scene, heard, plan_scene
from cavmae_sync.stage.sound import dry_tracks, heard_tracks, loudness, mix
from cavmae_sync.stage.truth import ClipTruth, describe_events, describe_objects, encode_object_map

_MAX_DONORS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedClip:
    """A clip before it is encoded.

    Attributes:
        frames_THWC: uint8, at `truth.frame_seconds_T`.
        waveform_S: float32 in [-1, 1], 16 kHz.
        truth: What is true about it.
    """

    frames_THWC: NDArray[np.uint8]
    waveform_S: NDArray[np.float32]
    truth: ClipTruth


def generate_clip(index: int, *, config: StageConfig, pack: Pack) -> GeneratedClip:
    """Makes clip number `index`. The same arguments always give the same clip.

    Args:
        index: Number of the clip, from 0.
        config: How clips are made.
        pack: The cast.

    Raises:
        DatasetError: The pack has no object for the split, or too few classes for `swapped_sound`.
    """
    cast = objects_of(pack, split=config.split, unknown=config.variant == "unknown_classes")
    scene = plan_scene(index, config=config, cast=cast)
    donor = _donor(scene, config, cast) if config.control == "swapped_sound" else None
    as_heard = heard(scene, config=config, donor=donor)
    frame_seconds_T = np.arange(config.num_frames) / config.frames_per_second
    tracks_OS = dry_tracks(scene, config=config, pack=pack)
    heard_OS = heard_tracks(tracks_OS, heard=as_heard, config=config, pack=pack)
    seen_loudness_OT = loudness(tracks_OS, frame_seconds_T=frame_seconds_T)
    picture = render(scene, config=config, pack=pack, loudness_OT=seen_loudness_OT)
    heard_loudness_OT = loudness(heard_OS, frame_seconds_T=frame_seconds_T)
    objects = describe_objects(as_heard, picture=picture, loudness_OT=heard_loudness_OT)
    truth = ClipTruth(
        video_id=config.video_id(index),
        split=config.split,
        variant=config.variant,
        control=config.control,
        labels=scene.labels,
        duration_seconds=config.num_frames / config.frames_per_second,
        frame_seconds_T=frame_seconds_T,
        objects=objects,
        events=describe_events(as_heard, objects=objects, frame_seconds_T=frame_seconds_T),
        object_map_pngs=tuple(map(encode_object_map, picture.object_map_THW)),
    )
    waveform_S = mix(heard_OS, config=config, noise_seed=scene.noise_seed)
    return GeneratedClip(frames_THWC=picture.frames_THWC, waveform_S=waveform_S, truth=truth)


def _donor(scene: Scene, config: StageConfig, cast: Mapping[str, Sequence[StageObject]]) -> Scene:
    """The next scene in which no class sounds that this one shows or sounds."""
    classes = {actor.thing.class_name for actor in scene.actors}
    for step in range(1, _MAX_DONORS):
        donor = plan_scene(scene.index + step, config=config, cast=cast)
        if not classes & {actor.thing.class_name for actor in donor.actors if actor.events}:
            return donor
    raise DatasetError(
        f"swapped_sound found no clip whose sounds are foreign to {config.video_id(scene.index)}: the cast "
        f"has {len(cast)} classes. Use a pack with more classes, or lower max_objects."
    )

"""Generation of one clip in memory: plan, sound, frames, truth.

Shape letters: T frames, H W pixels, C channels, S samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.loudness import loudness
from cavmae_sync.stage.pack import Pack, StageObject, objects_by_class
from cavmae_sync.stage.plan import plan_scene
from cavmae_sync.stage.render import render
from cavmae_sync.stage.scene import Scene, audible_scene
from cavmae_sync.stage.sound import audible_tracks, dry_tracks, mix
from cavmae_sync.stage.truth import ClipTruth, describe_events, describe_objects, encode_object_map

_MAX_DONORS: Final = 64  # scenes tried; the search must end where a pack has few classes


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedClip:
    """A clip before it is encoded.

    Attributes:
        frames_THWC: uint8, at `truth.frame_seconds_T`.
        waveform_S: float32 in [-1, 1], 16 kHz.
        truth: Truth about it.
    """

    frames_THWC: NDArray[np.uint8]
    waveform_S: NDArray[np.float32]
    truth: ClipTruth


def generate_clip(index: int, *, config: StageConfig, pack: Pack) -> GeneratedClip:
    """Generate clip number `index`. The same arguments always give the same clip.

    Args:
        index: Number of the clip, from 0.
        config: Choices that all clips share.
        pack: Source of the objects.

    Raises:
        DatasetError: The pack has no object for the split, or too few classes for `swapped_sound`.
    """
    cast = objects_by_class(pack, split=config.split, unknown=config.classes == "unknown")
    scene = plan_scene(index, config=config, cast=cast)
    donor = _donor(scene, config, cast) if config.control == "swapped_sound" else None
    audible = audible_scene(scene, config=config, donor=donor)
    frame_seconds_T = np.arange(config.num_frames) / config.frames_per_second
    tracks_OS = dry_tracks(scene, config=config, pack=pack)
    heard_OS = audible_tracks(tracks_OS, audible=audible, config=config, pack=pack)
    seen_loudness_OT = loudness(tracks_OS, frame_seconds_T=frame_seconds_T)
    rendered = render(scene, config=config, pack=pack, loudness_OT=seen_loudness_OT)
    heard_loudness_OT = loudness(heard_OS, frame_seconds_T=frame_seconds_T)
    objects = describe_objects(audible, rendered=rendered, loudness_OT=heard_loudness_OT)
    truth = ClipTruth(
        video_id=config.video_id(index),
        split=config.split,
        variant=config.variant,
        control=config.control,
        labels=scene.labels,
        duration_seconds=config.num_frames / config.frames_per_second,
        frame_seconds_T=frame_seconds_T,
        objects=objects,
        events=describe_events(audible, objects=objects, frame_seconds_T=frame_seconds_T),
        object_map_pngs=tuple(map(encode_object_map, rendered.object_map_THW)),
    )
    waveform_S = mix(heard_OS, config=config, noise_seed=scene.noise_seed)
    return GeneratedClip(frames_THWC=rendered.frames_THWC, waveform_S=waveform_S, truth=truth)


def _donor(scene: Scene, config: StageConfig, cast: Mapping[str, Sequence[StageObject]]) -> Scene:
    """Next scene whose sounding classes are all absent from this one."""
    classes = {actor.thing.class_name for actor in scene.actors}
    for step in range(1, _MAX_DONORS):
        donor = plan_scene(scene.index + step, config=config, cast=cast)
        if not classes & {actor.thing.class_name for actor in donor.actors if actor.events}:
            return donor
    raise DatasetError(
        f"swapped_sound found no clip whose sounds are foreign to {config.video_id(scene.index)}: the pack "
        f"has {len(cast)} classes here. Use a pack with more classes, or lower max_objects."
    )

"""Renderer of scenes: frames and, for every frame, the object at each pixel.

Shape letters: O actors that are seen, T frames, H W pixels, C channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.stage.backdrop import draw_post
from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.exposure import Exposure
from cavmae_sync.stage.pack import Pack, StageObject
from cavmae_sync.stage.plates import motion
from cavmae_sync.stage.scene import Actor, Post, Scene, Shot
from cavmae_sync.stage.sprites import PlateSprites, PulsingSprites, Sprite, make_sprite, paste, scaled

#: Longest side of the smallest and of the largest object, as a share of the frame's side: at its loudest in
#: `easy`, and on a plate.
SIZE_SHARES: Final = (0.36, 0.64)
PLATE_SIZE_SHARES: Final = (0.26, 0.4)

Seconds = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedFrames:
    """Frames of a clip and the objects in them.

    Attributes:
        frames_THWC: uint8.
        object_map_THW: uint8; 0 is the background, n the n-th actor; where two overlap, the front one.
        full_area_OT: int64; pixels each actor would have if nothing hid it and the frame had no edge.
    """

    frames_THWC: NDArray[np.uint8]
    object_map_THW: NDArray[np.uint8]
    full_area_OT: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layer:
    """Something to paste: its number in the maps, its place in pixels and its sprite in each frame."""

    number: int
    centers_T2: NDArray[np.float64]
    sprite_at: Callable[[int], Sprite]


def render(
    scene: Scene, *, config: StageConfig, pack: Pack, loudness_OT: NDArray[np.float32]
) -> RenderedFrames:
    """Draw a scene.

    Args:
        scene: The plan of the clip.
        config: Size and rate of the frames, pulse, and the control `flipped`.
        pack: Source of the drawings.
        loudness_OT: Loudness of each actor at each frame, which the pulse of `easy` follows.
    """
    pixels, num_frames = config.frame_pixels, config.num_frames
    seconds_T = np.arange(num_frames) / config.frames_per_second
    shot_T = np.searchsorted([shot.start_seconds for shot in scene.shots], seconds_T, side="right") - 1
    seen = [actor for actor in scene.actors if actor.is_seen]
    layers = [
        _Layer(
            number=number,
            centers_T2=_centers(actor, shot_T) * pixels,
            sprite_at=_sprites(actor, seconds_T, loudness_OT[number - 1], config=config, pack=pack),
        )
        for number, actor in enumerate(seen, start=1)
    ]
    posts = [] if scene.post is None else [_post_layer(scene.post, pixels, num_frames)]
    frames_THWC = np.empty((num_frames, pixels, pixels, 3), np.uint8)
    object_map_THW = np.zeros((num_frames, pixels, pixels), np.uint8)
    for number, shot in enumerate(scene.shots):
        exposure = _expose(shot, config, pack)
        indices = [int(index) for index in np.flatnonzero(shot_T == number)]
        # The first frame is drawn twice, so that the edges of its objects meet the levelled background.
        for index in (*indices[:1], *indices):
            _draw(
                frames_THWC[index], object_map_THW[index], [*layers, *posts], index=index, exposure=exposure
            )
    full_area_OT = np.array(
        [[layer.sprite_at(index).area for index in range(num_frames)] for layer in layers], np.int64
    )
    if config.control == "flipped":
        frames_THWC, object_map_THW = frames_THWC[:, :, ::-1].copy(), object_map_THW[:, :, ::-1].copy()
    return RenderedFrames(frames_THWC=frames_THWC, object_map_THW=object_map_THW, full_area_OT=full_area_OT)


def _draw(
    frame_HWC: NDArray[np.uint8],
    object_map_HW: NDArray[np.uint8],
    layers: list[_Layer],
    *,
    index: int,
    exposure: Exposure,
) -> None:
    """Draw a frame and its map, in place."""
    frame_HWC[:], object_map_HW[:] = exposure.backdrop_HWC, 0
    is_backdrop_HW = np.ones(object_map_HW.shape, np.bool_)
    for layer in layers:
        paste(
            layer.sprite_at(index),
            frame_HWC,
            object_map_HW,
            is_backdrop_HW,
            center=layer.centers_T2[index],
            number=layer.number,
        )
    exposure.level(frame_HWC, is_backdrop_HW=is_backdrop_HW)


def _expose(shot: Shot, config: StageConfig, pack: Pack) -> Exposure:
    generator = np.random.default_rng(shot.backdrop_seed)
    backdrop_HWC = pack.backdrop(split=config.split, pixels=config.frame_pixels, generator=generator)
    return Exposure(backdrop_HWC, generator=generator, is_levelled=config.takes_turns)


def _centers(actor: Actor, shot_T: NDArray[np.int64]) -> NDArray[np.float64]:
    progress_T = np.arange(len(shot_T)) / len(shot_T)
    centers_ST2 = np.stack([trajectory.centers(progress_T) for trajectory in actor.trajectories])
    return centers_ST2[shot_T, np.arange(len(shot_T))]


def _sprites(
    actor: Actor, seconds_T: Seconds, loudness_T: NDArray[np.float32], *, config: StageConfig, pack: Pack
) -> Callable[[int], Sprite]:
    """Sprite of an actor in each frame."""
    smallest, largest = PLATE_SIZE_SHARES if config.takes_turns else SIZE_SHARES
    longest_side = (smallest + (largest - smallest) * actor.thing.size) * config.frame_pixels
    if actor.rhythm is None:
        pulsing = PulsingSprites(pack.draw(actor.thing), longest_side, has_pulse=config.pulse == "loudness")
        return lambda index: pulsing.at(float(loudness_T[index]))
    rgba = _small_image(pack, actor.thing, longest_side)
    on_plate = PlateSprites(rgba, frame_pixels=config.frame_pixels)
    cycles_T, lean_T = motion(actor.rhythm, len(seconds_T))
    shows_T = _sounds(actor, seconds_T) & (config.pulse == "plate")
    return lambda index: on_plate.at(
        float(cycles_T[index]), int(lean_T[index]), is_sounding=bool(shows_T[index])
    )


@lru_cache(maxsize=4096)
def _small_image(pack: Pack, thing: StageObject, longest_side: float) -> NDArray[np.uint8]:
    """Image of an object at its size in the frame; drawing it takes longer than anything else."""
    return scaled(pack.draw(thing), longest_side)


def _sounds(actor: Actor, seconds_T: Seconds) -> NDArray[np.bool_]:
    """Frames in which an actor sounds."""
    spans = [(seconds_T >= event.start_seconds) & (seconds_T < event.stop_seconds) for event in actor.events]
    return np.any(spans, axis=0) if spans else np.zeros(len(seconds_T), np.bool_)


def _post_layer(post: Post, pixels: int, num_frames: int) -> _Layer:
    post_HWC = draw_post(pixels, width=post.width, generator=np.random.default_rng(post.seed))
    shape = post_HWC.shape[:2]
    sprite = make_sprite(post_HWC.astype(np.float64), np.zeros(shape), np.ones(shape, np.bool_))
    centers_T2 = post.trajectory.centers(np.arange(num_frames) / num_frames) * pixels
    return _Layer(number=0, centers_T2=centers_T2, sprite_at=lambda _: sprite)

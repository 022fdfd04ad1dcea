"""Renderer of scenes: frames and, for every frame, the object at each pixel.

Shape letters: O actors that are seen, T frames, H W pixels, C channels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.pack import Pack
from cavmae_sync.stage.scene import Actor, Scene

#: Longest side of the smallest and of the largest object at its loudest, as a share of the frame's side.
SIZE_SHARES: Final = (0.36, 0.64)
_NUM_LEVELS: Final = 12  # of loudness: a sprite is drawn once for each level, not once for each frame
_QUIET_SCALE: Final = 0.82
_QUIET_BRIGHTNESS: Final = 0.62
_GLOW: Final = 0.8
_MARGIN: Final = 0.2


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


def render(
    scene: Scene, *, config: StageConfig, pack: Pack, loudness_OT: NDArray[np.float32]
) -> RenderedFrames:
    """Draw a scene.

    Args:
        scene: The plan of the clip.
        config: Size and rate of the frames, pulse, and the control `flipped`.
        pack: Source of the drawings.
        loudness_OT: Loudness of each actor at each frame, which the pulse follows.
    """
    pixels, num_frames = config.frame_pixels, config.num_frames
    backdrop = pack.backdrop(
        split=config.split, pixels=pixels, generator=np.random.default_rng(scene.backdrop_seed)
    )
    frames_THWC = np.repeat(backdrop[None], num_frames, axis=0)
    object_map_THW = np.zeros((num_frames, pixels, pixels), np.uint8)
    seen = [actor for actor in scene.actors if actor.trajectory is not None]
    full_area_OT = np.zeros((len(seen), num_frames), np.int64)
    progress_T = np.arange(num_frames) / num_frames
    for number, actor in enumerate(seen):
        sprites = _SpriteCache(
            pack.draw(actor.thing), _share(actor) * pixels, has_pulse=config.pulse == "loudness"
        )
        centers_T2 = _centers(actor, progress_T) * pixels
        for index, (center, level) in enumerate(zip(centers_T2, loudness_OT[number], strict=True)):
            sprite = sprites.at(float(level))
            full_area_OT[number, index] = sprite.area
            _paste(sprite, frames_THWC[index], object_map_THW[index], center=center, number=number + 1)
    if config.control == "flipped":
        frames_THWC, object_map_THW = frames_THWC[:, :, ::-1].copy(), object_map_THW[:, :, ::-1].copy()
    return RenderedFrames(frames_THWC=frames_THWC, object_map_THW=object_map_THW, full_area_OT=full_area_OT)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sprite:
    """An object ready to paste: colour times opacity, share of the background that remains, its mask."""

    colour_HWC: NDArray[np.uint16]
    remainder_HW1: NDArray[np.uint16]
    mask_HW: NDArray[np.bool_]
    area: int


class _SpriteCache:
    """Sprites of one object at every loudness it needs, each drawn when first asked for."""

    def __init__(self, rgba: NDArray[np.uint8], longest_side: float, *, has_pulse: bool) -> None:
        margin = round(_MARGIN * max(rgba.shape[:2]))
        self.rgba = np.pad(rgba, ((margin, margin), (margin, margin), (0, 0)))
        self.longest_side = longest_side * max(self.rgba.shape[:2]) / max(rgba.shape[:2])
        self.has_pulse = has_pulse
        self._sprites: dict[int, _Sprite] = {}

    def at(self, loudness: float) -> _Sprite:
        # The square root makes soft sounds visible and keeps an object lit between two hits.
        level = round(min(loudness, 1.0) ** 0.5 * _NUM_LEVELS) if self.has_pulse else _NUM_LEVELS
        if level not in self._sprites:
            self._sprites[level] = self._draw(level / _NUM_LEVELS)
        return self._sprites[level]

    def _draw(self, level: float) -> _Sprite:
        scale = (_QUIET_SCALE + (1 - _QUIET_SCALE) * level) * self.longest_side / max(self.rgba.shape[:2])
        height, width = (max(1, round(side * scale)) for side in self.rgba.shape[:2])
        resized = Image.fromarray(self.rgba).resize((width, height), Image.Resampling.BILINEAR)
        alpha = resized.getchannel("A")
        opaque_HW1 = np.asarray(alpha, np.float64)[..., None] / 255
        brightness = _QUIET_BRIGHTNESS + (1 - _QUIET_BRIGHTNESS) * level
        colour_HWC = np.asarray(resized, np.float64)[..., :3] * opaque_HW1 * brightness
        glow_HW1 = (1 - opaque_HW1) * (self._glow(alpha) * level * self.has_pulse)[..., None]
        mask_HW = np.asarray(alpha) > 127
        return _Sprite(
            colour_HWC=np.round(colour_HWC + 255 * glow_HW1).astype(np.uint16),
            remainder_HW1=np.round(256 * (1 - opaque_HW1 - glow_HW1)).astype(np.uint16),
            mask_HW=mask_HW,
            area=int(mask_HW.sum()),
        )

    def _glow(self, alpha: Image.Image) -> NDArray[np.float64]:
        radius = 0.055 * max(alpha.size)
        blurred = np.asarray(alpha.filter(ImageFilter.GaussianBlur(radius)), np.float64) / 255
        return _GLOW * np.clip(blurred * 2.2, 0.0, 1.0)


def _share(actor: Actor) -> float:
    return SIZE_SHARES[0] + (SIZE_SHARES[1] - SIZE_SHARES[0]) * actor.thing.size


def _centers(actor: Actor, progress_T: NDArray[np.float64]) -> NDArray[np.float64]:
    if actor.trajectory is None:
        raise ValueError(f"{actor.thing.name} is never seen, so it has no trajectory")
    return actor.trajectory.centers(progress_T)


def _paste(
    sprite: _Sprite,
    frame_HWC: NDArray[np.uint8],
    object_map_HW: NDArray[np.uint8],
    *,
    center: NDArray[np.float64],
    number: int,
) -> None:
    """Paste a sprite onto a frame and its number onto the map, in place; parts outside are cut off."""
    height, width = sprite.mask_HW.shape
    left, top = round(float(center[0]) - width / 2), round(float(center[1]) - height / 2)
    rows = slice(max(top, 0), max(min(top + height, frame_HWC.shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + width, frame_HWC.shape[1]), 0))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    behind = frame_HWC[rows, columns].astype(np.uint16) * sprite.remainder_HW1[part] >> 8
    frame_HWC[rows, columns] = np.minimum(behind + sprite.colour_HWC[part], 255)
    object_map_HW[rows, columns][sprite.mask_HW[part]] = number

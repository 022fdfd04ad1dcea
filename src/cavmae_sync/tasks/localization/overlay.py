"""Overlay of maps on every frame of a video, with a strip below that shows how well sound and frame match.

    +---------------------------+
    | grey |     map     | grey |   the model sees the middle square only
    +---------------------------+
    | match 0.42  ~~~~~~~~~|~~~~ |   strength over the whole video, and the current time
    +---------------------------+

Letters: H W pixels, C colours.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.maps import resized_maps
from cavmae_sync.media import write_video
from cavmae_sync.media.playback import Playback
from cavmae_sync.tasks.localization.localize_video import Localization

#: Opacity of the strongest colour of the map.
_OPACITY: Final = 0.7
#: Share of the frame's own colour that is kept inside the square.
_COLOUR_KEPT: Final = 0.4
_OUTSIDE_DIVISOR: Final = 2
_STRIP_PART: Final = 0.14
_LEAST_STRIP: Final = 44
_LEAST_WIDTH_WITH_TEXT: Final = 240
_BACK, _LINE, _HEAD, _TEXT = (24, 24, 24), (86, 180, 233), (255, 255, 255), (230, 230, 230)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OverlayFrame:
    """One frame of the result.

    Attributes:
        seconds: On the file's timeline.
        frame_HWC: Frame of the file, uint8.
        overlay_HWC: Frame with its map, uint8, of the same size.
        strip_HWC: Strip below it, uint8.
    """

    seconds: float
    frame_HWC: NDArray[np.uint8]
    overlay_HWC: NDArray[np.uint8]
    strip_HWC: NDArray[np.uint8]

    def whole(self) -> NDArray[np.uint8]:
        """Overlay and strip in one image of even height and width, as H.264 needs; odd edges are repeated."""
        whole_HWC = np.concatenate([self.overlay_HWC, self.strip_HWC])
        return np.pad(whole_HWC, ((0, len(whole_HWC) % 2), (0, whole_HWC.shape[1] % 2), (0, 0)), mode="edge")


def overlay_frames(localization: Localization, video: Playback) -> Iterator[OverlayFrame]:
    """Overlays of all frames of a video; only one frame is in memory at a time."""
    strip: _Strip | None = None
    for number, frame_HWC in enumerate(video.frames()):
        seconds = video.seconds_of(number)
        strip = strip or _Strip(localization, video, width=frame_HWC.shape[1], height=len(frame_HWC))
        yield OverlayFrame(
            seconds=seconds,
            frame_HWC=frame_HWC,
            overlay_HWC=overlaid(frame_HWC, localization, seconds),
            strip_HWC=strip.at(seconds),
        )


def write_overlay(
    localization: Localization,
    video: Playback,
    out: str | os.PathLike[str],
    *,
    keep: Sequence[int] = (),
    on_progress: OnProgress | None = None,
) -> list[OverlayFrame]:
    """Write a video with its maps and its sound, whole or not at all.

    Args:
        localization: The maps.
        video: Their video.
        out: MP4 file.
        keep: Moments whose frames are returned, in this order.
        on_progress: Called with frames done and frames in all.

    Returns:
        Frames of the moments to keep.
    """
    wanted = [_number_of(video, float(localization.seconds_M[moment])) for moment in keep]
    kept: dict[int, OverlayFrame] = {}

    def frames() -> Iterator[NDArray[np.uint8]]:
        for number, frame in enumerate(overlay_frames(localization, video)):
            if number in wanted:
                kept[number] = frame
            yield frame.whole()
            if on_progress is not None:
                on_progress(number + 1, video.num_frames)

    write_video(out, frames(), frames_per_second=video.frames_per_second, waveform_S=video.sound())
    return [kept[number] for number in wanted]


def _number_of(video: Playback, seconds: float) -> int:
    number = round((seconds - video.start_seconds) * float(video.frames_per_second))
    return min(max(number, 0), video.num_frames - 1)


def overlaid(frame_HWC: NDArray[np.uint8], localization: Localization, seconds: float) -> NDArray[np.uint8]:
    """Frame with the map of a time over its middle square; grey and darker outside."""
    height, width = frame_HWC.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    frame = Image.fromarray(frame_HWC)
    grey = frame.convert("L").convert("RGB")
    square = (left, top, left + side, top + side)
    # The frame is paled, so that a strong colour is always the map's.
    inside = Image.blend(grey.crop(square), frame.crop(square), _COLOUR_KEPT)
    if not localization.is_silent_at(seconds):
        inside = _with_map(inside, localization, seconds)
    result = grey.point([level // _OUTSIDE_DIVISOR for level in range(256)] * 3)
    result.paste(inside, square)
    return np.asarray(result)


def _with_map(square: Image.Image, localization: Localization, seconds: float) -> Image.Image:
    map_HW = resized_maps(localization.map_at(seconds)[None], height=square.height, width=square.width)[
        0
    ].numpy()
    low, high = localization.scale
    level_HW = np.clip((map_HW - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    heat = Image.fromarray(heat_colours().astype(np.uint8)[level_HW])
    opacity = Image.fromarray(level_HW).point([round(level * _OPACITY) for level in range(256)])
    return Image.composite(heat, square, opacity)


def heat_colours() -> NDArray[np.float32]:
    """Colours from purple to yellow, float32 [256, 3] in [0, 255].

    The dark end of "inferno" is left out: it would look like a shadow on the frame.
    """
    return (colormaps["inferno"](np.linspace(0.35, 1, 256))[:, :3] * 255).astype(np.float32)


class _Strip:
    """Strip below the frame. What does not move is drawn once, because a video has thousands of frames."""

    def __init__(self, localization: Localization, video: Playback, *, width: int, height: int) -> None:
        self._localization = localization
        self._video = video
        self._height = max(_LEAST_STRIP, round(height * _STRIP_PART))
        self._font = ImageFont.load_default(max(10, round(self._height * 0.26)))
        has_text = width >= _LEAST_WIDTH_WITH_TEXT
        self._left = round(self._font.getlength("match -0.00 (silence)")) + 12 if has_text else 2
        self._right = width - 3
        self._image = Image.new("RGB", (width, self._height), _BACK)
        draw = ImageDraw.Draw(self._image)
        self._draw_curve(draw)
        if has_text:
            self._draw_scale(draw)

    def at(self, seconds: float) -> NDArray[np.uint8]:
        """Strip at a time."""
        image = self._image.copy()
        draw = ImageDraw.Draw(image)
        across = self._across(seconds)
        draw.line([(across, 0), (across, self._height)], fill=_HEAD, width=1)
        if self._left > 2:
            is_silent = self._localization.is_silent_at(seconds)
            value = "silence" if is_silent else f"match {self._localization.strength_at(seconds):.2f}"
            draw.text((6, 2), value, fill=_TEXT, font=self._font)
        return np.asarray(image)

    def _draw_curve(self, draw: ImageDraw.ImageDraw) -> None:
        """Curve of the strength from 0 (bottom) to 1 (top); grey where the sound is silent."""
        times, strengths, silent = self._localization.curve()
        points = [
            (self._across(seconds), self._down(strength))
            for seconds, strength in zip(times, strengths, strict=True)
        ]
        for level in (0.0, 0.5, 1.0):
            down = self._down(level)
            draw.line([(self._left, down), (self._right, down)], fill=(70, 70, 70))
        for first, second, is_silent in zip(points, points[1:], silent, strict=False):
            draw.line([first, second], fill=(110, 110, 110) if is_silent else _LINE, width=2)

    def _draw_scale(self, draw: ImageDraw.ImageDraw) -> None:
        """Scale of the colours, with the cosines of its ends."""
        low, high = self._localization.scale
        texts = f"{low:.2f}", f"{high:.2f}"
        lengths = [round(self._font.getlength(text)) for text in texts]
        top = self._height // 2 + 2
        draw.text((6, top), texts[0], fill=_TEXT, font=self._font)
        start, stop = 10 + lengths[0], self._left - 14 - lengths[1]
        colours = heat_colours().astype(int)
        for across in range(start, stop):
            part = (across - start) / max(stop - start - 1, 1)
            colour = tuple(round(c * part) for c in colours[round(part * (len(colours) - 1))])
            draw.line([(across, top + 2), (across, self._height - 6)], fill=colour)
        draw.text((stop + 4, top), texts[1], fill=_TEXT, font=self._font)

    def _across(self, seconds: float) -> float:
        part = (seconds - self._video.start_seconds) / self._video.duration_seconds
        return self._left + part * (self._right - self._left)

    def _down(self, strength: float) -> float:
        return 3 + (1 - float(np.clip(strength, 0, 1))) * (self._height - 7)

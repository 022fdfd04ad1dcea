"""Drawing surface for objects: unit coordinates, a palette of roles, stripes on the body.

Shape letters: H W pixels.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Role = Literal["body", "dark", "light", "ink", "white", "metal", "wood"]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

_PIXELS: Final = 320
_MARGIN: Final = 0.06
#: Blue, azure, green, yellow, orange, red, at even steps of warmth: even steps of hue would not look even.
_HUES: Final = (0.65, 0.53, 0.36, 0.16, 0.075, 0.0)
_FIXED: Final[dict[Role, tuple[int, int, int]]] = {
    "ink": (28, 26, 40),
    "white": (250, 250, 245),
    "metal": (176, 182, 194),
    "wood": (150, 98, 58),
}


@dataclass(slots=True)
class Canvas:
    """Surface for one object. (0, 0) is the upper left corner of its square, (1, 1) the lower right one.

    Attributes:
        warmth: In [0, 1]; colour of the body, from blue over green and yellow to red.
        texture: In [0, 1]; the body has 1 + 7 * texture stripes across the square.
    """

    warmth: float
    texture: float
    _image: Image.Image = field(init=False)
    _body: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        self._image = Image.new("RGBA", (_PIXELS, _PIXELS), (0, 0, 0, 0))
        self._body = Image.new("L", (_PIXELS, _PIXELS), 0)

    def ellipse(self, box: Box, role: Role) -> None:
        """Fill an ellipse."""
        for surface, fill in self._surfaces(role):
            surface.ellipse(_pixels(box), fill=fill)

    def box(self, box: Box, role: Role, *, radius: float = 0.0) -> None:
        """Fill a rectangle with rounded corners."""
        for surface, fill in self._surfaces(role):
            surface.rounded_rectangle(_pixels(box), radius=radius * _scale(), fill=fill)

    def polygon(self, points: Sequence[Point], role: Role) -> None:
        """Fill a polygon."""
        for surface, fill in self._surfaces(role):
            surface.polygon([_pixel(point) for point in points], fill=fill)

    def line(self, points: Sequence[Point], role: Role, *, width: float) -> None:
        """Draw a line with round ends and joints."""
        radius = width * _scale() / 2
        for surface, fill in self._surfaces(role):
            surface.line(
                [_pixel(point) for point in points], fill=fill, width=round(2 * radius), joint="curve"
            )
            for x, y in (_pixel(point) for point in points):
                surface.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)

    def pie(self, box: Box, role: Role, *, degrees: tuple[float, float]) -> None:
        """Fill a slice of an ellipse; angles run clockwise from the right."""
        for surface, fill in self._surfaces(role):
            surface.pieslice(_pixels(box), *degrees, fill=fill)

    def arc(self, box: Box, role: Role, *, degrees: tuple[float, float], width: float) -> None:
        """Draw a part of the rim of an ellipse; angles run clockwise from the right."""
        for surface, fill in self._surfaces(role):
            surface.arc(_pixels(box), *degrees, fill=fill, width=round(width * _scale()))

    def eye(self, x: float, y: float, *, radius: float = 0.06) -> None:
        """Draw an eye."""
        self.ellipse((x - radius, y - radius, x + radius, y + radius), "white")
        pupil = radius * 0.55
        self.ellipse((x - pupil, y - pupil, x + pupil, y + pupil), "ink")

    def finish(self) -> NDArray[np.uint8]:
        """Finish the object: (H, W, 4) uint8 RGBA, striped, outlined and cropped."""
        rgba = np.asarray(self._image).copy()
        striped = (np.asarray(self._body) > 0) & _stripes(self.texture)
        rgba[striped, :3] = self._colour("dark")
        alpha = self._image.getchannel("A")
        outline = np.asarray(alpha.filter(ImageFilter.GaussianBlur(3.0))) > 24
        drawn = rgba[..., 3] > 0
        rgba[outline & ~drawn] = (*_FIXED["ink"], 255)
        rows, columns = np.flatnonzero(outline.any(1)), np.flatnonzero(outline.any(0))
        return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    def _surfaces(self, role: Role) -> list[tuple[ImageDraw.ImageDraw, tuple[int, ...] | int]]:
        return [
            (ImageDraw.Draw(self._image), (*self._colour(role), 255)),
            (ImageDraw.Draw(self._body), 255 if role == "body" else 0),
        ]

    def _colour(self, role: Role) -> tuple[int, int, int]:
        if role in _FIXED:
            return _FIXED[role]
        saturation, value = {"body": (0.92, 1.0), "dark": (1.0, 0.42), "light": (0.35, 1.0)}[role]
        hue = float(np.interp(self.warmth, np.linspace(0.0, 1.0, len(_HUES)), _HUES))
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
        return round(255 * red), round(255 * green), round(255 * blue)


def _stripes(texture: float) -> NDArray[np.bool_]:
    axis = (np.arange(_PIXELS) / _PIXELS - _MARGIN) / (1 - 2 * _MARGIN)
    slanted = axis[None, :] + 0.35 * axis[:, None]
    return ((slanted * (1.0 + 7.0 * texture) + 0.25) % 1.0) < 0.36


def _scale() -> float:
    return _PIXELS * (1 - 2 * _MARGIN)


def _pixel(point: Point) -> Point:
    return (_PIXELS * _MARGIN + point[0] * _scale(), _PIXELS * _MARGIN + point[1] * _scale())


def _pixels(box: Box) -> Box:
    return (*_pixel((box[0], box[1])), *_pixel((box[2], box[3])))

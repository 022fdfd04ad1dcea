"""The built-in pack: classes drawn and synthesised here, with nothing to download.

Look and sound of an object vary together, always in the same direction, so that a model can learn to find the
very object and not only its class:

    larger           lower            (size: 36-64 % of the frame; 0.75 octaves up to 0.75 down)
    from blue to red from dull to bright
    more stripes     faster           (tremolo, or hits in a second)
"""

import hashlib
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.choices import Split
from cavmae_sync.stage import draw_animals, draw_things, voices
from cavmae_sync.stage.backdrop import draw_backdrop
from cavmae_sync.stage.canvas import Canvas
from cavmae_sync.stage.pack import StageObject
from cavmae_sync.stage.synthesis import coloured, tremolo

#: To be increased when any class looks or sounds different, so that old and new clips never mix in one
#: folder.
_VERSION: Final = 2
_LEVELS: Final = MappingProxyType({"size": 6, "warmth": 6, "texture": 5})
_DRAWINGS: Final = MappingProxyType(
    {
        name.removeprefix("draw_"): draw
        for module in (draw_animals, draw_things)
        for name, draw in vars(module).items()
        if name.startswith("draw_")
    }
)
_UNKNOWN: Final = frozenset({"owl", "hammer", "ufo", "cloud"})


class ProceduralPack:
    """28 classes of 180 objects each: every combination of 6 sizes, 6 colours and 5 textures.

    Within its cell of the grid, each object has its own exact attributes.
    """

    @property
    def fingerprint(self) -> str:
        """Version of the drawings and voices, as text."""
        return f"procedural-{_VERSION}"

    @property
    def unknown_classes(self) -> frozenset[str]:
        """Names of four classes: two struck and two held, two living or natural and two made."""
        return _UNKNOWN

    @cached_property
    def objects(self) -> tuple[StageObject, ...]:
        """All objects, always in the same order."""
        cells = np.ndindex(*_LEVELS.values())
        return tuple(_object(name, cell) for cell in cells for name in sorted(_DRAWINGS))

    def draw(self, thing: StageObject) -> NDArray[np.uint8]:
        """Image of an object: (H, W, 4) uint8 RGBA with straight alpha."""
        warmth, texture = _look(thing)
        canvas = Canvas(warmth, texture)
        _DRAWINGS[thing.class_name](canvas)
        return canvas.finish()

    def sound(
        self, thing: StageObject, *, num_samples: int, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Sound of an object: (S,) float32 at 16 kHz, any scale."""
        warmth, texture = _look(thing)
        is_held = thing.class_name in voices.HELD
        voice = (voices.HELD if is_held else voices.STRUCK)[thing.class_name]
        tone = voices.Tone(
            num_samples=num_samples,
            pitch=2.0 ** (1.5 * (0.5 - thing.size)),
            rate_hz=6.0 * 2.0**texture,
            generator=generator,
        )
        wave_S = coloured(voice(tone), warmth=warmth)
        if is_held:
            wave_S = tremolo(wave_S, rate_hz=5.0 * 3.0**texture)
        return wave_S.astype(np.float32)

    def backdrop(self, *, split: Split, pixels: int, generator: np.random.Generator) -> NDArray[np.uint8]:  # noqa: ARG002
        """Background drawn for one clip: (H, W, 3) uint8."""
        return draw_backdrop(pixels, generator=generator)


def _look(thing: StageObject) -> tuple[float, float]:
    if thing.warmth is None or thing.texture is None:
        raise ValueError(f"{thing.name} has no warmth or texture: it is not from the procedural pack")
    return thing.warmth, thing.texture


def _object(class_name: str, cell: tuple[int, ...]) -> StageObject:
    name = f"{class_name}-{''.join(map(str, cell))}"
    shifts = np.frombuffer(hashlib.sha256(name.encode()).digest()[: len(cell)], dtype=np.uint8) / 255
    size, warmth, texture = (
        float((level + 0.15 + 0.7 * shift) / levels)
        for level, shift, levels in zip(cell, shifts, _LEVELS.values(), strict=True)
    )
    return StageObject(name=name, class_name=class_name, size=size, warmth=warmth, texture=texture)

"""Photographs behind the objects: a part of one, at a random place, in each clip.

Shape letters: H W pixels.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cavmae_sync.choices import Split
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import decode_image

_ENDINGS: Final = (".jpg", ".jpeg", ".png")
#: Smallest and largest side of the part that is shown, as a share of the shorter side of the photograph.
_SHARES: Final = (0.4, 1.0)
#: Photographs are darkened and dulled a little, so that objects stand out.
_BRIGHTNESS: Final = 0.75
_CONTRAST: Final = 0.8


def find_photographs(folder: Path) -> dict[Split, tuple[Path, ...]]:
    """Photographs of each split, by file name, from the folders `train`, `validation` and `test`.

    Raises:
        DatasetError: Some splits have photographs and others have none.
    """
    found: dict[Split, tuple[Path, ...]] = {}
    for split in get_args(Split):
        if (folder / split).is_dir():
            found[split] = tuple(p for p in sorted((folder / split).iterdir()) if p.suffix in _ENDINGS)
    missing = [split for split in get_args(Split) if not found.get(split)]
    if found and missing:
        raise DatasetError(
            f"{folder} has no photograph for {', '.join(missing)}, so a model could tell the splits by their "
            f"backgrounds. Add at least one {' or '.join(_ENDINGS)} to each, or remove {folder.name}."
        )
    return found


def photograph_backdrop(
    photographs: Sequence[Path], *, pixels: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Square part of a random photograph, mirrored in half of the cases: (H, W, 3) uint8.

    Args:
        photographs: Those of one split.
        pixels: Side of the result.
        generator: Source of the choice, place, size and mirroring.

    Raises:
        DatasetError: A photograph cannot be read.
    """
    image = _read(photographs[int(generator.integers(len(photographs)))])
    side = float(generator.uniform(*_SHARES)) * min(image.size)
    left, top = (float(generator.uniform(0.0, length - side)) for length in image.size)
    part = image.resize((pixels, pixels), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    if generator.random() < 0.5:
        part = ImageOps.mirror(part)
    values_HWC = np.asarray(part, np.float64)
    mean = values_HWC.mean()
    return np.clip(_BRIGHTNESS * (mean + _CONTRAST * (values_HWC - mean)), 0, 255).astype(np.uint8)


@lru_cache(maxsize=32)
def _read(path: Path) -> Image.Image:
    try:
        return decode_image(path, formats=("JPEG", "PNG")).convert("RGB")
    except ValueError as error:
        raise DatasetError(f"{path} is no photograph that can be read ({error}). Replace it.") from error

"""Pictures and recordings of the packages that cannot be used, each with its reason."""

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.recordings import Samples, read_recording
from cavmae_sync.untrusted import decode_image

_FEWEST_PIXELS: Final = 32
_LEAST_OPAQUE: Final = 0.05


def usable_picture(path: Path) -> Image.Image | str:
    """Picture in RGBA, cropped to what is visible; or in words why it cannot be used."""
    try:
        image = decode_image(path, formats=("PNG",)).convert("RGBA")
    except ValueError as error:
        return f"unreadable picture: {error}"
    alpha = image.getchannel("A")
    box = alpha.getbbox()
    if box is None:
        return "fully transparent picture"
    if alpha.getextrema()[0] == 255:
        return "picture without a transparent pixel"
    cropped = image.crop(box)
    if max(cropped.size) < _FEWEST_PIXELS:
        return f"picture smaller than {_FEWEST_PIXELS} pixels"
    if float((np.asarray(cropped.getchannel("A")) > 127).mean()) < _LEAST_OPAQUE:
        return "mostly transparent picture"
    return cropped


def usable_recording(path: Path) -> Samples | str:
    """Recording at 16 kHz without silent ends; or in words why it cannot be used."""
    try:
        return read_recording(path, name=path.stem)
    except DatasetError:
        return "silent or unreadable recording"

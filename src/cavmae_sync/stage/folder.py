"""A pack in a folder: cut-out images with a sound each, brought by the user.

    FOLDER/classes.csv   header name,class; one line for each object
    FOLDER/NAME.png      image with an alpha channel
    FOLDER/NAME.ogg      its sound (.ogg, .wav or .flac)

Shape letters: H W pixels, S samples.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.errors import DatasetError
from cavmae_sync.media import read_audio
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage.pack import StageObject
from cavmae_sync.untrusted import decode_image, read_rows

_SOUND_ENDINGS: Final = (".ogg", ".wav", ".flac")
_MIN_CLASSES: Final = 4
_LONGEST_SIDE: Final = 320
#: One class of this many is reserved for the variant `unknown_classes`.
_CLASSES_PER_UNKNOWN: Final = 6
_QUIET: Final = 0.05  # of the loudest sample; quieter ends are cut, as events must begin with sound


class FolderPack:
    """Cut-outs with recordings. Each has one size, given by a hash of its name."""

    def __init__(self, folder: Path) -> None:
        """Read the list of objects and check that their files are there.

        Raises:
            DatasetError: A file is missing, an image has no alpha channel, or there are too few classes.
        """
        self._folder = folder
        self._class_of = _read_classes(folder)
        self._loud_parts: dict[str, NDArray[np.float32]] = {}
        self._sound_of = {name: _sound_file(folder, name) for name in self._class_of}
        for name in self._class_of:
            _check_image(folder / f"{name}.png")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all names, classes and files."""
        digest = hashlib.sha256()
        for name, class_name in sorted(self._class_of.items()):
            digest.update(f"{name}\t{class_name}\n".encode())
            for path in (self._folder / f"{name}.png", self._sound_of[name]):
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return f"folder-{digest.hexdigest()}"

    @cached_property
    def unknown_classes(self) -> frozenset[str]:
        """Names of one class in six, chosen by a hash of their names."""
        classes = sorted(set(self._class_of.values()), key=_hash)
        return frozenset(classes[: max(1, len(classes) // _CLASSES_PER_UNKNOWN)])

    @cached_property
    def objects(self) -> tuple[StageObject, ...]:
        """All objects, by name."""
        return tuple(
            StageObject(name=name, class_name=class_name, size=_hash(name)[0] / 255)
            for name, class_name in sorted(self._class_of.items())
        )

    def draw(self, thing: StageObject) -> NDArray[np.uint8]:
        """Image of an object: (H, W, 4) uint8 RGBA with straight alpha, cropped to what is visible."""
        image = _read_image(self._folder / f"{thing.name}.png").convert("RGBA")
        image = image.crop(image.getchannel("A").getbbox())
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        return np.asarray(image)

    def sound(
        self, thing: StageObject, *, num_samples: int, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Part of the recording from a random place on, repeated when it is short: (S,) float32."""
        waveform_S = self._loud_part(thing.name)
        latest = max(len(waveform_S) - num_samples, 0)
        start = int(generator.integers(latest + 1))
        repeats = -(-num_samples // len(waveform_S))
        return np.tile(waveform_S, repeats)[start : start + num_samples]

    def _loud_part(self, name: str) -> NDArray[np.float32]:
        """Recording without its silent ends, decoded once and kept."""
        if name in self._loud_parts:
            return self._loud_parts[name]
        path = self._sound_of[name]
        waveform_S = read_audio(path, channel="mix")
        loud = np.flatnonzero(np.abs(waveform_S) > _QUIET * np.abs(waveform_S).max(initial=0.0))
        if len(loud) < SAMPLE_RATE_HZ // 100:
            raise DatasetError(
                f"{path} is silent or shorter than 10 ms. Give {name} a sound that can be heard."
            )
        self._loud_parts[name] = waveform_S[loud[0] : loud[-1] + 1]
        return self._loud_parts[name]


def _read_classes(folder: Path) -> dict[str, str]:
    path = folder / "classes.csv"
    if not path.is_file():
        raise DatasetError(f"{folder} has no classes.csv. A pack needs one with the columns name,class.")
    class_of = {row["name"]: row["class"] for _, row in read_rows(path, ("name", "class"))}
    for name in class_of:
        if "/" in name or "\\" in name:
            raise DatasetError(
                f"{path} names {name!r}, which points to another folder. A name is that of an image beside "
                "classes.csv, without folder and ending."
            )
    if not all(name and class_name for name, class_name in class_of.items()):
        raise DatasetError(f"{path} has a line without a name or without a class. Fill it in or remove it.")
    num_classes = len(set(class_of.values()))
    if num_classes < _MIN_CLASSES:
        raise DatasetError(
            f"{path} has {num_classes} classes; a pack needs at least {_MIN_CLASSES}, since the objects of a "
            f"clip have different classes and some classes are reserved. Add classes."
        )
    return class_of


def _sound_file(folder: Path, name: str) -> Path:
    for ending in _SOUND_ENDINGS:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    raise DatasetError(
        f"{folder / name} has no sound: none of {', '.join(_SOUND_ENDINGS)} is there. Add it, or remove "
        f"{name} from classes.csv."
    )


def _check_image(path: Path) -> None:
    if not path.is_file():
        raise DatasetError(f"{path} is missing. Add it, or remove {path.stem} from classes.csv.")
    image = _read_image(path)
    alpha = image.convert("RGBA").getchannel("A").getextrema()
    if alpha[0] == 255:
        raise DatasetError(
            f"{path} has no transparent pixel (mode {image.mode}), so the object fills its whole "
            f"rectangle. Cut it out and save it with an alpha channel."
        )
    if alpha[1] == 0:
        raise DatasetError(f"{path} is fully transparent. Replace it.")


def _read_image(path: Path) -> Image.Image:
    try:
        return decode_image(path, formats=("PNG",))
    except ValueError as error:
        raise DatasetError(f"{path} is not a PNG that can be read ({error}). Replace it.") from error


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()

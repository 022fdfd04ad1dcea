"""A pack in a folder: cut-out images with a sound each, brought by the user.

    FOLDER/classes.csv           header name,class and, if wanted, split; one line for each object
    FOLDER/NAME.png              image with an alpha channel
    FOLDER/NAME.ogg              its sound (.ogg, .wav or .flac)
    FOLDER/NAME.TAKE.ogg         further recordings of it, if there are any
    FOLDER/backdrops/SPLIT/      photographs to stand behind the objects of a split, if wanted

Shape letters: H W pixels, S samples.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.choices import Split
from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.backdrop import draw_backdrop
from cavmae_sync.stage.pack import StageObject
from cavmae_sync.stage.photographs import find_photographs, photograph_backdrop
from cavmae_sync.stage.recordings import Samples, read_recording
from cavmae_sync.untrusted import decode_image, read_rows

_SOUND_ENDINGS: Final = (".ogg", ".wav", ".flac")
_MIN_CLASSES: Final = 4
_LONGEST_SIDE: Final = 320
#: One class of this many is reserved for stages of `classes=unknown`.
_CLASSES_PER_UNKNOWN: Final = 6


class FolderPack:
    """Cut-outs with recordings. Each has one size, given by a hash of its name."""

    def __init__(self, folder: Path) -> None:
        """Read the list of objects and check that their files are there.

        Raises:
            DatasetError: A file is missing, an image has no alpha channel, or there are too few classes.
        """
        self._folder = folder
        self._class_of, self._split_of = _read_classes(folder)
        self._recordings: dict[Path, Samples] = {}
        self._sounds_of = _sound_files(folder, self._class_of)
        self._photographs = find_photographs(folder / "backdrops")
        for name in self._class_of:
            _check_image(folder / f"{name}.png")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all names, classes and files."""
        digest = hashlib.sha256()
        for name, class_name in sorted(self._class_of.items()):
            words = [name, class_name, *filter(None, [self._split_of.get(name)])]
            digest.update(("\t".join(words) + "\n").encode())
            for path in (self._folder / f"{name}.png", *self._sounds_of[name]):
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        for split, paths in self._photographs.items():
            for path in paths:
                digest.update(f"{split}\t{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        return f"folder-{digest.hexdigest()}"

    @cached_property
    def unknown_classes(self) -> frozenset[str]:
        """Classes that training never sees.

        Where `classes.csv` names splits, those without an object for training. Else one in six, chosen by a
        hash of their names.
        """
        classes = set(self._class_of.values())
        if self._split_of:
            known = {self._class_of[name] for name, split in self._split_of.items() if split == "train"}
            return frozenset(classes - known)
        ordered = sorted(classes, key=_hash)
        return frozenset(ordered[: max(1, len(ordered) // _CLASSES_PER_UNKNOWN)])

    @cached_property
    def objects(self) -> tuple[StageObject, ...]:
        """All objects, by name."""
        return tuple(
            StageObject(
                name=name,
                class_name=class_name,
                size=_hash(name)[0] / 255,
                split=self._split_of.get(name),
            )
            for name, class_name in sorted(self._class_of.items())
        )

    def draw(self, thing: StageObject) -> NDArray[np.uint8]:
        """Image of an object: (H, W, 4) uint8 RGBA with straight alpha, cropped to what is visible."""
        image = _read_image(self._folder / f"{thing.name}.png").convert("RGBA")
        image = image.crop(image.getchannel("A").getbbox())
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        return np.asarray(image)

    def sound(self, thing: StageObject, *, num_samples: int, generator: np.random.Generator) -> Samples:
        """Part of one recording from a random place on, repeated when it is short: (S,) float32."""
        paths = self._sounds_of[thing.name]
        # A pack with one recording of each object draws no number for it: its clips stay what they were.
        path = paths[int(generator.integers(len(paths)))] if len(paths) > 1 else paths[0]
        waveform_S = self._recording(path, thing.name)
        latest = max(len(waveform_S) - num_samples, 0)
        start = int(generator.integers(latest + 1))
        repeats = -(-num_samples // len(waveform_S))
        return np.tile(waveform_S, repeats)[start : start + num_samples]

    def backdrop(self, *, split: Split, pixels: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Part of a photograph of the split, or a drawn background where there is none: (H, W, 3) uint8."""
        photographs = self._photographs.get(split)
        if not photographs:
            return draw_backdrop(pixels, generator=generator)
        return photograph_backdrop(photographs, pixels=pixels, generator=generator)

    def _recording(self, path: Path, name: str) -> Samples:
        """Recording ready to be played, decoded once and kept."""
        if path not in self._recordings:
            self._recordings[path] = read_recording(path, name=name)
        return self._recordings[path]


def _read_classes(folder: Path) -> tuple[dict[str, str], dict[str, Split]]:
    """Class of each object, and its split where the list has such a column."""
    path = folder / "classes.csv"
    if not path.is_file():
        raise DatasetError(f"{folder} has no classes.csv. A pack needs one with the columns name,class.")
    rows = [row for _, row in read_rows(path, ("name", "class"), optional=("split",))]
    class_of = {row["name"]: row["class"] for row in rows}
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
    return class_of, _read_splits(path, rows)


def _read_splits(path: Path, rows: list[dict[str, str]]) -> dict[str, Split]:
    if not any(row["split"] for row in rows):
        return {}
    splits: dict[str, Split] = {split: split for split in get_args(Split)}
    for row in rows:
        if row["split"] not in splits:
            raise DatasetError(
                f"{path} gives {row['name']} the split {row['split']!r}. Where the column `split` is used, "
                f"each line needs one of {', '.join(splits)}."
            )
    return {row["name"]: splits[row["split"]] for row in rows}


def _sound_files(folder: Path, names: Mapping[str, str]) -> dict[str, tuple[Path, ...]]:
    """Recordings of each object: NAME.ogg or NAME.TAKE.ogg, in the order of their file names."""
    found: dict[str, list[Path]] = {name: [] for name in names}
    for path in sorted(folder.iterdir()):
        if path.suffix in _SOUND_ENDINGS and path.is_file():
            name = path.stem if path.stem in found else path.stem.rpartition(".")[0]
            found.setdefault(name, []).append(path)
    for name in names:
        if not found[name]:
            raise DatasetError(
                f"{folder / name} has no sound: none of {', '.join(_SOUND_ENDINGS)} is there. Add it, or "
                f"remove {name} from classes.csv."
            )
    return {name: tuple(paths) for name, paths in found.items() if name in names}


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

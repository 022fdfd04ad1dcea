"""Images of ADE20K, each with a sound as prompt for one of its classes, in the layout of DenseAV.

    FOLDER/prompted_segmentation.csv     image_location, vggsound_file, ade_class_id (and others, not read)
    FOLDER/frames/IMAGE_LOCATION         image, .jpg
    FOLDER/annotations/..._seg.png       class of every pixel; IMAGE_LOCATION with another ending
    FOLDER/audio/NAME                    sound, named by the last part of vggsound_file

Shapes: H W pixels, C channels (RGB), N spectrogram frames, M mel bins.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cavmae_sync.data.spellings import DiskSpellings
from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import log_mel
from cavmae_sync.media import read_audio
from cavmae_sync.paper import FRAME_PIXELS, PROMPT_SAMPLES
from cavmae_sync.untrusted import decode_image
from cavmae_sync.untrusted import read_rows as read_csv_rows

TABLE_FILE: Final = "prompted_segmentation.csv"
_COLUMNS: Final = ("image_location", "vggsound_file", "ade_class_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ade20kRow:
    """Row of the table: an image, a sound as prompt, and the class that the sound belongs to.

    Attributes:
        image_location: Name of the image, as in the table.
        image: File of the image.
        annotation: File with the class of every pixel.
        sound: File of the prompt.
        class_id: Class of ADE20K, > 0.
    """

    image_location: str
    image: Path
    annotation: Path
    sound: Path
    class_id: int


class Ade20kFolder:
    """Folder of ADE20K with sounds as prompts; rows are in the order of its table.

    Attributes:
        folder: Path of the folder.
        rows: Rows with a sound and a class.
        num_without_prompt: Rows of the table without a sound or with class 0, which DenseAV leaves out too.

    Source:
        Paper Table 3; DenseAV's protocol.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Read the table and look for every file.

        Raises:
            DatasetError: The table is missing or lacks a column, a file is missing, or no row has a prompt.
        """
        self.folder = Path(folder)
        table = self.folder / TABLE_FILE
        self.rows, self.num_without_prompt = read_rows(self.folder)
        if not self.rows:
            raise DatasetError(
                f"{table} has no row with a vggsound_file and an ade_class_id above 0. Give DenseAV's table."
            )
        missing = [p for row in self.rows for p in (row.image, row.annotation, row.sound) if not p.is_file()]
        if missing:
            raise DatasetError(
                f"{table} names {len(missing)} files that are missing; the first is {missing[0]}. Complete "
                f"the folder. cavmae-sync list {self.folder} names all of them."
            )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of which picture, sound and class the rows name, in order."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row.image_location}\t{row.sound.name}\t{row.class_id}\n".encode())
        return digest.hexdigest()

    def read_image(self, index: int, *, pixels: int) -> NDArray[np.uint8]:
        """Middle square of an image, its shorter side resized to `pixels` (bilinear): uint8 [H, W, C]."""
        image = read_image(self.rows[index].image).convert("RGB")
        return np.asarray(middle_square(image, pixels=pixels, how=Image.Resampling.BILINEAR))

    def read_mask(self, index: int, *, pixels: int = FRAME_PIXELS) -> NDArray[np.bool_]:
        """Mask of the class in the middle square of the image: bool [H, W], by its nearest pixels.

        Raises:
            DatasetError: Image and annotation have different sizes.
        """
        row = self.rows[index]
        labels = read_image(row.annotation)
        size = read_image(row.image).size
        if labels.size != size:
            raise DatasetError(
                f"{row.annotation} has {labels.size[0]} x {labels.size[1]} pixels, its image {size[0]} x "
                f"{size[1]}. They do not belong together; download both again."
            )
        square = middle_square(labels.convert("RGB"), pixels=pixels, how=Image.Resampling.NEAREST)
        return classes_of_colours(np.asarray(square)) == row.class_id

    def read_sound(self, index: int) -> NDArray[np.float32]:
        """Sound of a prompt, float32 [samples] at 16 kHz: the first channel, at most 164,200 samples."""
        return read_audio(self.rows[index].sound, duration_seconds=None)[:PROMPT_SAMPLES]

    def read_log_mel(self, index: int) -> Tensor:
        """Log-mel of a prompt, float32 [1024, M], padded with silence."""
        sound_S = self.read_sound(index)
        return log_mel(np.pad(sound_S, (0, PROMPT_SAMPLES - sound_S.size)))


def read_rows(folder: Path) -> tuple[tuple[Ade20kRow, ...], int]:
    """Rows of a folder's table that have a prompt, and the number of those without; only the table is read.

    Raises:
        DatasetError: The table is missing, lacks a column, or a class is not a whole number.
    """
    table = folder / TABLE_FILE
    if not table.is_file():
        raise DatasetError(f"{folder} has no {TABLE_FILE}. Give DenseAV's folder ADE20KSoundPrompted.")
    cells = list(_read_cells(table))
    disk = DiskSpellings()
    rows = tuple(filter(None, (_row(folder, place, row, disk) for place, row in enumerate(cells))))
    return rows, len(cells) - len(rows)


def _row(folder: Path, place: int, cells: dict[str, str], disk: DiskSpellings) -> Ade20kRow | None:
    sound, class_id = cells["vggsound_file"], _class_id(cells["ade_class_id"])
    if class_id is None:
        raise DatasetError(
            f"{folder / TABLE_FILE}, row {place + 1}: ade_class_id is {cells['ade_class_id']!r}, "
            "it must be a whole number."
        )
    if not sound or sound.lower() == "nan" or class_id == 0:
        return None
    location = cells["image_location"]
    seg = str(PurePosixPath(location).with_suffix("")) + "_seg.png"
    return Ade20kRow(
        image_location=location,
        image=disk.find(folder / "frames" / location),
        annotation=disk.find(folder / "annotations" / seg),
        sound=disk.find(folder / "audio" / PurePosixPath(sound).name),
        class_id=class_id,
    )


def _read_cells(table: Path) -> Iterator[dict[str, str]]:
    for _, row in read_csv_rows(table, _COLUMNS):
        yield {name: cell.strip() for name, cell in row.items()}


def _class_id(text: str) -> int | None:
    """Class in a cell: "", "7" or "7.0"; 0 for an empty cell, None where it is not a whole number."""
    if text.lower() in ("", "nan"):
        return 0
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def classes_of_colours(colours_HWC: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Class of every pixel of an annotation, int64 [H, W].

    Source:
        The encoding of ADE20K's masks: class = red // 10 * 256 + green; blue numbers the objects.
    """
    wide_HWC = colours_HWC.astype(np.int64)
    return wide_HWC[:, :, 0] // 10 * 256 + wide_HWC[:, :, 1]


def read_image(path: Path) -> Image.Image:
    """Decoded image of a JPEG or PNG file.

    Raises:
        DatasetError: The file cannot be read as an image.
    """
    try:
        return decode_image(path, formats=("JPEG", "PNG"))
    except ValueError as error:
        raise DatasetError(f"{path} cannot be read as an image ({error}). Download it again.") from error


def middle_square(image: Image.Image, *, pixels: int, how: Image.Resampling) -> Image.Image:
    """Middle square of an image whose shorter side is resized to `pixels`.

    Sizes are rounded as in torchvision, with which the published data were made: the resize cuts off, the
    crop rounds.
    """
    short = min(image.size)
    width, height = (int(pixels * side / short) for side in image.size)
    left, top = round((width - pixels) / 2), round((height - pixels) / 2)
    return image.resize((width, height), how).crop((left, top, left + pixels, top + pixels))

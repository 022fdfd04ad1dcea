"""ADE20K pictures with a sound that asks for one of their classes, in the layout of DenseAV.

    FOLDER/prompted_segmentation.csv     image_location, vggsound_file, ade_class_id (and others, not read)
    FOLDER/frames/IMAGE_LOCATION         picture, .jpg
    FOLDER/annotations/..._seg.png       class of every pixel; IMAGE_LOCATION with another ending
    FOLDER/audio/NAME                    sound; last part of vggsound_file

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
    """One question: where in this picture is what this sound tells of?

    Attributes:
        image_location: As in the table; also the name of the picture.
        picture: File of the picture.
        annotation: File of its classes.
        sound: File of the prompt.
        class_id: Class of ADE20K that is asked for, > 0.
    """

    image_location: str
    picture: Path
    annotation: Path
    sound: Path
    class_id: int


class Ade20kFolder:
    """The rows of a folder, in the order of its table.

    Attributes:
        folder: Where it lies.
        rows: Those with a sound and a class.
        num_without_prompt: Rows of the table without a sound or with class 0, which DenseAV leaves out too.

    Source:
        Spec 4.5.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Reads the table and looks for every file.

        Raises:
            DatasetError: The table is missing or lacks a column, a file is missing, or no row has a prompt.
        """
        self.folder = Path(folder)
        table = self.folder / TABLE_FILE
        self.rows, self.num_without_prompt = read_rows(self.folder)
        if not self.rows:
            raise DatasetError(f"{table} has no row with a vggsound_file and an ade_class_id that is not 0.")
        missing = [
            p for row in self.rows for p in (row.picture, row.annotation, row.sound) if not p.is_file()
        ]
        if missing:
            raise DatasetError(
                f"{table} names {len(missing)} files that are missing, the first is {missing[0]}. Nothing is "
                f"put in their place: complete the folder. All are told by: cavmae-sync list {self.folder}"
            )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of which picture, sound and class the rows name, in order."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row.image_location}\t{row.sound.name}\t{row.class_id}\n".encode())
        return digest.hexdigest()

    def read_picture(self, index: int, *, pixels: int) -> NDArray[np.uint8]:
        """The middle square of a picture, its shorter side at `pixels` (bilinear): uint8 [H, W, C]."""
        image = read_image(self.rows[index].picture).convert("RGB")
        return np.asarray(middle_square(image, pixels=pixels, how=Image.Resampling.BILINEAR))

    def read_mask(self, index: int, *, pixels: int = FRAME_PIXELS) -> NDArray[np.bool_]:
        """Where the class is: bool [H, W], the same square as the picture's, its nearest pixels.

        Raises:
            DatasetError: Picture and annotation are not of one size.
        """
        row = self.rows[index]
        labels = read_image(row.annotation)
        size = read_image(row.picture).size
        if labels.size != size:
            raise DatasetError(
                f"{row.annotation} has {labels.size[0]} x {labels.size[1]} pixels, its picture {size[0]} x "
                f"{size[1]}. They do not belong together; fetch both again."
            )
        square = middle_square(labels.convert("RGB"), pixels=pixels, how=Image.Resampling.NEAREST)
        return classes_of_colours(np.asarray(square)) == row.class_id

    def read_sound(self, index: int) -> NDArray[np.float32]:
        """A prompt at 16 kHz: its first channel, cut to 164,200 samples."""
        return read_audio(self.rows[index].sound, duration_seconds=None)[:PROMPT_SAMPLES]

    def read_log_mel(self, index: int) -> Tensor:
        """Log-mel of a prompt, float32 [1024, M], filled up with silence."""
        sound_S = self.read_sound(index)
        return log_mel(np.pad(sound_S, (0, PROMPT_SAMPLES - sound_S.size)))


def read_rows(folder: Path) -> tuple[tuple[Ade20kRow, ...], int]:
    """Rows of a folder's table that have a prompt, and how many have none; no other file is looked for.

    Raises:
        DatasetError: The table is missing, lacks a column, or a class is no whole number (names the row).
    """
    table = folder / TABLE_FILE
    if not table.is_file():
        raise DatasetError(f"{folder} has no {TABLE_FILE}. Give the folder ADE20KSoundPrompted of DenseAV.")
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
        picture=disk.find(folder / "frames" / location),
        annotation=disk.find(folder / "annotations" / seg),
        sound=disk.find(folder / "audio" / PurePosixPath(sound).name),
        class_id=class_id,
    )


def _read_cells(table: Path) -> Iterator[dict[str, str]]:
    for _, row in read_csv_rows(table, _COLUMNS):
        yield {name: cell.strip() for name, cell in row.items()}


def _class_id(text: str) -> int | None:
    """A class as tables hold it: "", "7" or "7.0"; None where it is no whole number."""
    if text.lower() in ("", "nan"):
        return 0
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def classes_of_colours(colours_HWC: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Class of every pixel of an annotation, int64 [H, W] (spec 4.5)."""
    # Red holds the hundreds of a class (in steps of 10), green the rest; blue tells objects apart.
    wide_HWC = colours_HWC.astype(np.int64)
    return wide_HWC[:, :, 0] // 10 * 256 + wide_HWC[:, :, 1]


def read_image(path: Path) -> Image.Image:
    """A picture, decoded.

    Raises:
        DatasetError: It is none that can be read.
    """
    try:
        return decode_image(path, formats=("JPEG", "PNG"))
    except ValueError as error:
        raise DatasetError(f"{path} is not a picture that can be read ({error}). Fetch it again.") from error


def middle_square(image: Image.Image, *, pixels: int, how: Image.Resampling) -> Image.Image:
    """Resize and crop with torchvision's rounding, by which the data of the method were made."""
    short = min(image.size)
    width, height = (int(pixels * side / short) for side in image.size)
    left, top = round((width - pixels) / 2), round((height - pixels) / 2)
    return image.resize((width, height), how).crop((left, top, left + pixels, top + pixels))

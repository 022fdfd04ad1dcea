"""Class lists: `class_labels_indices.csv` of AudioSet, and CAV-MAE's for VGGSound.

index,mid,display_name
0,/m/09x0r,"Speech"
1,/m/05zppz,"Male speech, man speaking"
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cavmae_sync.checks import did_you_mean
from cavmae_sync.choices import LabelNames
from cavmae_sync.data.lists.formats import CLASS_COLUMNS
from cavmae_sync.data.lists.rows import read_csv, read_text
from cavmae_sync.data.lists.vggsound import class_name
from cavmae_sync.data.spellings import nfc
from cavmae_sync.errors import DatasetError
from cavmae_sync.paper import NUM_AUDIOSET_CLASSES, NUM_VGGSOUND_CLASSES

_AUDIOSET_MID: Final = re.compile(r"/[gmt]/[A-Za-z0-9_]+")
_VGGSOUND_MID: Final = re.compile(r"vgg_\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassLabels:
    """The classes of a dataset. The number of a class is its place in the list.

    Attributes:
        path: File that they were read from.
        mids: Short id of each class, for example "/m/09x0r" or "vgg_0"; all different.
        names: Name of each class; all different.
    """

    path: Path
    mids: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of classes."""
        return len(self.mids)

    def as_dict(self, wanted: LabelNames) -> Mapping[str, str]:
        """Map from each way to write a class (name, VGGSound spelling, mid) to its mid or its name."""
        values = self.mids if wanted == "mid" else self.names
        return {
            **dict(zip(self.names, values, strict=True)),
            **dict(zip(map(class_name, self.names), values, strict=True)),
            **dict(zip(self.mids, values, strict=True)),
        }

    def rename(self, labels: Sequence[tuple[str, ...]], wanted: LabelNames) -> list[tuple[str, ...]]:
        """Labels written as mids or as names, however they were written before.

        Raises:
            DatasetError: A label is not one of the classes.
        """
        known = self.as_dict(wanted)
        unknown = sorted({label for names in labels for label in names if label not in known})
        if unknown:
            raise DatasetError(
                f"{len(unknown)} labels are not classes of {self.path}: {', '.join(map(repr, unknown[:5]))}. "
                f"{did_you_mean(unknown[0], known)}Give the class list of this dataset, or leave out "
                "--classes to keep labels as they are written."
            )
        return [tuple(known[label] for label in names) for names in labels]


def read_class_labels(path: Path) -> ClassLabels:
    """Read a class list.

    Raises:
        DatasetError: It is missing or malformed (names the line); or its mids are those of AudioSet or
            VGGSound, but not all 527 or 309 classes are there.
    """
    rows = list(read_csv(read_text(path), path, skip_spaces=True))
    if tuple(cell.strip() for cell in rows[0][1]) != CLASS_COLUMNS:
        raise DatasetError(
            f"{path} line {rows[0][0]}: the header is {rows[0][1]}, but must be {','.join(CLASS_COLUMNS)}."
        )
    lines: dict[str, int] = {}
    mids: list[str] = []
    names: list[str] = []
    for line, cells in rows[1:]:
        where = f"{path} line {line}"
        index, mid, name = _cells(cells, where)
        if index != str(len(mids)):
            raise DatasetError(
                f"{where}: the index is {index!r:.80}, but must be {len(mids)}: classes are numbered from 0."
            )
        for text in (mid, name):
            if text in lines:
                raise DatasetError(f"{where}: {text!r:.80} is already on line {lines[text]}.")
        lines[mid] = lines[name] = line
        mids.append(mid)
        names.append(name)
    _check_whole(path, mids, names)
    return ClassLabels(path=path, mids=tuple(mids), names=tuple(names))


def _cells(cells: list[str], where: str) -> tuple[str, str, str]:
    stripped = [nfc(cell.strip()) for cell in cells]
    if len(stripped) != len(CLASS_COLUMNS) or not all(stripped):
        raise DatasetError(
            f"{where}: {cells} must be three cells: index, mid and name. A name with a comma must be in "
            "quotes."
        )
    return stripped[0], stripped[1], stripped[2]


def _check_whole(path: Path, mids: Sequence[str], names: Sequence[str]) -> None:
    for dataset, mid, needed in (
        ("AudioSet", _AUDIOSET_MID, NUM_AUDIOSET_CLASSES),
        ("VGGSound", _VGGSOUND_MID, NUM_VGGSOUND_CLASSES),
    ):
        if mids and all(mid.fullmatch(text) for text in mids) and len(mids) != needed:
            raise DatasetError(
                f"{path} has {len(mids)} classes with mids of {dataset}, which has {needed}. Download it "
                "again."
            )
    if not mids:
        raise DatasetError(f"{path} has a header but no classes. Download it again.")
    with_comma = [name for name in names if "," in name]
    if with_comma and all(_VGGSOUND_MID.fullmatch(text) for text in mids):
        raise DatasetError(
            f"{path}: the name {with_comma[0]!r:.80} has a comma. In the class list of VGGSound it is "
            f"written {class_name(with_comma[0])!r:.80}, so that labels can be separated by commas."
        )

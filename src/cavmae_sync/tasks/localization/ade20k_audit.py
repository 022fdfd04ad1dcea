"""Audit of a folder of ADE20K with sounds as prompts: what it holds, and every problem in it."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from rich.table import Table

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.flags import is_silent
from cavmae_sync.data.lists.list_counts import spread
from cavmae_sync.errors import DatasetError, MediaError
from cavmae_sync.media import read_audio
from cavmae_sync.paper import FRAME_PIXELS, HOP_MILLISECONDS, SAMPLE_RATE_HZ, SEGMENT_LENGTH
from cavmae_sync.safe_text import table_title
from cavmae_sync.tasks.localization.ade20k import (
    Ade20kRow,
    classes_of_colours,
    middle_square,
    read_image,
    read_rows,
)

#: Kinds of problems in the order of the report, and the words for them. The keys are those of the JSON.
PROBLEM_KINDS: Final[Mapping[str, str]] = {
    "picture_missing": "images missing",
    "annotation_missing": "annotations missing",
    "sound_missing": "sounds missing",
    "picture_unreadable": "images that cannot be read",
    "annotation_unreadable": "annotations that cannot be read",
    "sound_unreadable": "sounds that cannot be read",
    "size_differs": "annotations of another size than their image",
    "class_absent": "rows whose class is not in the middle square of the image",
    "sound_short": "sounds shorter than a segment",
    "sound_silent": "silent sounds",
}
_MOST_LISTED: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Ade20kProblem:
    """Problem of a file, or of a row.

    Attributes:
        kind: One of `PROBLEM_KINDS`.
        file: Path of the file.
        message: The problem in a sentence.
    """

    kind: str
    file: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ade20kAudit:
    """Audit of a folder ADE20KSoundPrompted.

    Attributes:
        folder: Path of the folder.
        num_rows: Rows with a sound and a class, which are evaluated.
        num_without_prompt: Rows without, which are left out, as DenseAV does.
        num_classes: Different classes of the rows.
        rows_per_class: Least, median and most rows of a class.
        num_pictures: Different images.
        num_sounds: Different sounds.
        problems: All problems, by kind and in the order of the table; a file appears once per kind.
    """

    folder: str
    num_rows: int
    num_without_prompt: int
    num_classes: int
    rows_per_class: tuple[int, float, int] | None
    num_pictures: int
    num_sounds: int
    problems: tuple[Ade20kProblem, ...]

    @property
    def num_problems(self) -> Mapping[str, int]:
        """Number of problems of each kind, in the order of the kinds."""
        counts = Counter(problem.kind for problem in self.problems)
        return {kind: counts[kind] for kind in PROBLEM_KINDS}

    def to_dict(self) -> dict[str, Any]:
        """Counts and all problems, as JSON values."""
        return {**asdict(self), "num_problems": dict(self.num_problems)}

    def to_table(self) -> Table:
        """Table of the counts."""
        table = Table("what", "count", title=table_title(f"in {self.folder}"), title_justify="left")
        table.add_row("rows with sound and class", f"{self.num_rows:,}")
        table.add_row("rows without, left out", f"{self.num_without_prompt:,}")
        table.add_row("classes", f"{self.num_classes:,}")
        if self.rows_per_class is not None:
            low, middle, high = self.rows_per_class
            table.add_row("  rows per class: least, median, most", f"{low:,}, {middle:,g}, {high:,}")
        table.add_row("images", f"{self.num_pictures:,}")
        table.add_row("sounds", f"{self.num_sounds:,}")
        for kind, count in self.num_problems.items():
            table.add_row(PROBLEM_KINDS[kind], f"{count:,}", style="red" if count else None)
        return table

    def to_lines(self) -> list[str]:
        """First problems, one per line, and the number of the others."""
        lines = [problem.message for problem in self.problems[:_MOST_LISTED]]
        left = len(self.problems) - len(lines)
        return [*lines, f"... and {left:,} more; --json lists all."] if left else lines


def audit_ade20k(
    folder: str | os.PathLike[str], *, on_progress: Callable[[int, int], None] | None = None
) -> Ade20kAudit:
    """Check every file that the table of a folder names.

    Args:
        folder: Folder ADE20KSoundPrompted in the layout of DenseAV.
        on_progress: Called with rows done and rows in all.

    Raises:
        DatasetError: The table itself is missing or malformed.
    """
    folder = Path(folder)
    rows, num_without = read_rows(folder)
    found: dict[tuple[str, str], Ade20kProblem] = {}
    sounds: set[Path] = set()
    size_problems = lru_cache(maxsize=8)(_size_problems)  # the rows of one image follow each other
    for number, row in enumerate(rows, start=1):
        problems = [*_missing(row), *size_problems(row.image, row.annotation), *_class_problem(row)]
        if row.sound not in sounds:
            sounds.add(row.sound)
            problems.extend(_sound_problems(row.sound))
        for problem in problems:
            found.setdefault((problem.kind, problem.file), problem)
        if on_progress is not None:
            on_progress(number, len(rows))
    counts = Counter(row.class_id for row in rows)
    order = list(PROBLEM_KINDS)
    return Ade20kAudit(
        folder=str(folder),
        num_rows=len(rows),
        num_without_prompt=num_without,
        num_classes=len(counts),
        rows_per_class=spread(list(counts.values())),
        num_pictures=len({row.image for row in rows}),
        num_sounds=len(sounds),
        problems=tuple(sorted(found.values(), key=lambda problem: order.index(problem.kind))),
    )


def _missing(row: Ade20kRow) -> Iterator[Ade20kProblem]:
    for kind, path in (
        ("picture_missing", row.image),
        ("annotation_missing", row.annotation),
        ("sound_missing", row.sound),
    ):
        if not path.is_file():
            yield Ade20kProblem(kind=kind, file=str(path), message=f"{path} is missing.")


def _size_problems(image: Path, annotation: Path) -> Sequence[Ade20kProblem]:
    """Problems of two files that must be readable and of one size."""
    problems: list[Ade20kProblem] = []
    sizes: list[tuple[int, int]] = []
    for kind, path in (("picture_unreadable", image), ("annotation_unreadable", annotation)):
        if path.is_file():
            try:
                sizes.append(read_image(path).size)
            except DatasetError as error:
                problems.append(Ade20kProblem(kind=kind, file=str(path), message=str(error)))
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        message = f"{annotation} has {sizes[1]} pixels, its image {sizes[0]}."
        problems.append(Ade20kProblem(kind="size_differs", file=str(annotation), message=message))
    return problems


def _class_problem(row: Ade20kRow) -> Iterator[Ade20kProblem]:
    """Problem of a row whose class is not in the part of the image that is evaluated."""
    try:
        image = read_image(row.annotation).convert("RGB") if row.annotation.is_file() else None
    except DatasetError:
        return  # already a problem of its own: unreadable
    if image is None:
        return
    square = middle_square(image, pixels=FRAME_PIXELS, how=Image.Resampling.NEAREST)
    if not (classes_of_colours(np.asarray(square)) == row.class_id).any():
        yield Ade20kProblem(
            kind="class_absent",
            file=f"{row.image_location}, class {row.class_id}",
            message=f"{row.annotation} has no pixel of class {row.class_id} in its middle square.",
        )


def _sound_problems(sound: Path) -> Iterator[Ade20kProblem]:
    if not sound.is_file():
        return
    try:
        waveform_S = read_audio(sound)
    except MediaError as error:
        yield Ade20kProblem(kind="sound_unreadable", file=str(sound), message=str(error))
        return
    seconds, needed = len(waveform_S) / SAMPLE_RATE_HZ, SEGMENT_LENGTH * HOP_MILLISECONDS / 1000
    if seconds < needed:
        message = f"{sound} lasts {seconds:.2f} s; a segment of the published model lasts {needed:.2f} s."
        yield Ade20kProblem(kind="sound_short", file=str(sound), message=message)
    limit = PrepareConfig().silent_below_dbfs
    if is_silent(waveform_S, below_dbfs=limit):
        message = f"{sound} is quieter than {limit:g} dB of full scale."
        yield Ade20kProblem(kind="sound_silent", file=str(sound), message=message)

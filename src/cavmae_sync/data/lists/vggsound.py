"""The list of VGGSound, `vggsound.csv`: no header; id of the video, start second, label, "train" or "test".

---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,waterfall burbling,train
--5OkAjCI7g,40,"bird chirping, tweeting",train
"""

from pathlib import Path
from typing import Final, get_args

from cavmae_sync.choices import ListSplit
from cavmae_sync.data.lists.rows import (
    ListedClip,
    ListFile,
    check_youtube_id,
    parse_seconds,
    read_csv,
    read_text,
)
from cavmae_sync.errors import DatasetError
from cavmae_sync.paper import CLIP_SECONDS, NUM_VGGSOUND_CLASSES

#: Id, start, label, split.
NUM_COLUMNS: Final = 4


def read_vggsound(path: Path, *, split: ListSplit | None = None) -> ListFile:
    """Read the list of VGGSound.

    The id of a clip is `<video>_<start, 6 digits>`. Its label is spelled as in class lists: comma and blank
    become `_ ` (see `class_name`).

    Args:
        path: The file.
        split: Split to take; None = all rows.

    Raises:
        DatasetError: It is missing, a row is malformed (names the line), or the split has no rows.
    """
    rows = read_csv(read_text(path), path)
    parsed = [_clip(line, cells, f"{path} line {line}") for line, cells in rows]
    clips = tuple(clip for found, clip in parsed if split in (None, found))
    if not clips:
        raise DatasetError(
            f"{path} has {len(parsed)} rows, but none of split {split!r}. Choose the other split."
        )
    return ListFile(path=path, kind="vggsound_csv", clips=clips, num_expected_classes=NUM_VGGSOUND_CLASSES)


def class_name(label: str) -> str:
    """Label in the spelling of the class list of VGGSound.

    >>> class_name("bird chirping, tweeting")
    'bird chirping_ tweeting'

    Manifests of CAV-MAE separate labels by commas, so names must not have any.
    """
    return label.replace(", ", "_ ").replace(",", "_ ")


def clip_id(video: str, start_seconds: float) -> str:
    """Id of a clip in VGGSound.

    >>> clip_id("glLQrEijrKg", 300)
    'glLQrEijrKg_000300'
    """
    return f"{video}_{int(start_seconds):06d}"


def _clip(line: int, cells: list[str], where: str) -> tuple[str, ListedClip]:
    if len(cells) != NUM_COLUMNS:
        raise DatasetError(
            f"{where}: {len(cells)} columns, but {NUM_COLUMNS} are needed: id, start, label, split. A label "
            "with a comma must be in quotes."
        )
    video, start, label, split = (cell.strip() for cell in cells)
    check_youtube_id(video, where=where)
    start_seconds = parse_seconds(start, what="the start", where=where)
    if start_seconds != int(start_seconds):
        raise DatasetError(f"{where}: the start is {start!r:.80}, but must be a whole second.")
    if split not in get_args(ListSplit):
        raise DatasetError(f'{where}: the split is {split!r:.80}, but must be "train" or "test".')
    if not label:
        raise DatasetError(f"{where}: the label of {video} is empty.")
    clip = ListedClip(
        line=line,
        id=clip_id(video, start_seconds),
        labels=(class_name(label),),
        start_seconds=start_seconds,
        stop_seconds=start_seconds + CLIP_SECONDS,
    )
    return split, clip

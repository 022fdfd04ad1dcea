"""Formats of lists of clips, recognised by their content.

cavmae_json    {"data": [{"video_id": ..., "labels": "a,b"}, ...]}; ours may have a list of labels
audioset_csv   segments file of AudioSet; see `audioset`
vggsound_csv   list of VGGSound; see `vggsound`
labels_csv     header video_id,labels; labels separated by ;
text           one id per line, and after a tab its labels, separated by ;
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cavmae_sync import untrusted
from cavmae_sync.choices import ListSplit
from cavmae_sync.data.lists.audioset import NUM_COLUMNS as AUDIOSET_COLUMNS
from cavmae_sync.data.lists.audioset import read_audioset
from cavmae_sync.data.lists.rows import (
    ListedClip,
    ListFile,
    ListKind,
    check_labels,
    is_youtube_id,
    read_csv,
    read_text,
)
from cavmae_sync.data.lists.vggsound import NUM_COLUMNS as VGGSOUND_COLUMNS
from cavmae_sync.data.lists.vggsound import read_vggsound
from cavmae_sync.errors import DatasetError

LABEL_COLUMNS: Final = ("video_id", "labels")
LABEL_SEPARATOR: Final = ";"
CLASS_COLUMNS: Final = ("index", "mid", "display_name")


def read_list_file(path: Path, *, split: ListSplit | None = None) -> ListFile:
    """Read a list of clips in any of the formats.

    Args:
        path: The file.
        split: Split of the list of VGGSound; files of the other formats have one split each.

    Raises:
        DatasetError: It is missing, of no known format, or malformed (names the line); or a split is given
            but the format has none.
    """
    text = read_text(path)
    kind = recognise(text, path)
    if kind == "vggsound_csv":
        return read_vggsound(path, split=split)
    if split is not None:
        raise DatasetError(
            f"{path} has no splits: only the list of VGGSound has a column for them. Leave out "
            f"--split {split}, and give the file of the split that you want."
        )
    if kind == "audioset_csv":
        return read_audioset(path)
    readers: dict[ListKind, Callable[[str, Path], list[ListedClip]]] = {
        "cavmae_json": _json_clips,
        "labels_csv": _label_clips,
        "text": _text_clips,
    }
    clips = tuple(readers[kind](text, path))
    if not clips:
        raise DatasetError(f"{path} lists no clips. Download it again.")
    return ListFile(path=path, kind=kind, clips=clips)


def recognise(text: str, path: Path) -> ListKind:
    """Format of a list.

    Raises:
        DatasetError: It is none of the formats; says what the file is, if that is known.
    """
    if text.lstrip()[0] in "{[":
        return "cavmae_json"
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    cells = [cell.strip() for cell in next(read_csv(first, path, skip_spaces=True), (0, [""]))[1]]
    if tuple(cells) == LABEL_COLUMNS:
        return "labels_csv"
    if tuple(cells) == CLASS_COLUMNS:
        raise DatasetError(
            f"{path} is a list of classes, not of clips. Give it as --classes, together with a list of clips."
        )
    if len(cells) == VGGSOUND_COLUMNS and cells[3] in ("train", "test"):
        return "vggsound_csv"
    if text.startswith("# Segments csv") or (
        len(cells) == AUDIOSET_COLUMNS and is_youtube_id(cells[0]) and _is_number(cells[1])
    ):
        return "audioset_csv"
    if "," not in first.partition("\t")[0]:
        return "text"
    raise DatasetError(
        f"{path} is not a list of clips in a known format; its first row is {first[:80]!r}. Known are: the "
        "JSON manifest of CAV-MAE, the segments CSV of AudioSet, vggsound.csv, a CSV with the header "
        "video_id,labels, and text with one id per line."
    )


def parse_json(text: str, path: Path) -> list[Any]:
    """List under the key "data" of a manifest of CAV-MAE.

    Raises:
        DatasetError: It is not JSON, or has no such list.
    """
    try:
        parsed = untrusted.parse_json(text)
    except ValueError as error:
        raise DatasetError(
            f"{path} is not JSON ({error}). A manifest of CAV-MAE is needed; download it again."
        ) from error
    data = parsed.get("data") if isinstance(parsed, dict) else None
    if not isinstance(data, list) or not data:
        is_ontology = isinstance(parsed, list) and all(
            isinstance(entry, dict) and "child_ids" in entry for entry in parsed
        )
        hint = (
            " It looks like the ontology of AudioSet: give it as --classes." if is_ontology and parsed else ""
        )
        raise DatasetError(f'{path} must be an object whose key "data" is a list of clips.{hint}')
    return data


def _json_clips(text: str, path: Path) -> list[ListedClip]:
    clips: list[ListedClip] = []
    for number, item in enumerate(parse_json(text, path)):
        where = f"{path}, entry {number}"
        if not isinstance(item, dict) or not isinstance(item.get("video_id"), str) or not item["video_id"]:
            raise DatasetError(
                f'{where}: it must be an object with a text "video_id", but it is {item!r:.80}.'
            )
        labels = item.get("labels", "")
        if isinstance(labels, str):
            labels = labels.split(",") if labels else []
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise DatasetError(f"{where}: labels is {labels!r:.80}, but must be a text or a list of texts.")
        names = check_labels(tuple(label.strip() for label in labels), where=where)
        clips.append(ListedClip(line=number, id=item["video_id"], labels=names))
    return clips


def _label_clips(text: str, path: Path) -> list[ListedClip]:
    rows = list(read_csv(text, path))[1:]
    clips: list[ListedClip] = []
    for line, cells in rows:
        where = f"{path} line {line}"
        if len(cells) != len(LABEL_COLUMNS):
            raise DatasetError(
                f'{where}: {len(cells)} columns, but 2 are needed. Separate labels by ";", or quote the cell.'
            )
        clips.append(_clip(line, cells[0].strip(), cells[1], where))
    return clips


def _text_clips(text: str, path: Path) -> list[ListedClip]:
    clips: list[ListedClip] = []
    for line, entry in enumerate(text.split("\n"), start=1):
        if entry.strip() and not entry.startswith("#"):
            name, _, labels = entry.removesuffix("\r").partition("\t")
            clips.append(_clip(line, name.strip(), labels, f"{path} line {line}"))
    return clips


def _clip(line: int, name: str, labels: str, where: str) -> ListedClip:
    if not name:
        raise DatasetError(f"{where}: the video_id is empty.")
    names = tuple(label.strip() for label in labels.split(LABEL_SEPARATOR)) if labels.strip() else ()
    return ListedClip(line=line, id=name, labels=check_labels(names, where=where))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

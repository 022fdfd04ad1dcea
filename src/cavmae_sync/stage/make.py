"""Maker of a stage: a folder of generated clips as real video files, with their labels and their truth."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cavmae_sync.atomic import PART_SUFFIX, csv_text, locked, write_text
from cavmae_sync.errors import DatasetError
from cavmae_sync.media import write_video
from cavmae_sync.stage.config import STAGE_VERSION, StageConfig
from cavmae_sync.stage.folder import FolderPack
from cavmae_sync.stage.generate import generate_clip
from cavmae_sync.stage.identity import plans_sha256, stage_name
from cavmae_sync.stage.pack import Pack, objects_by_class
from cavmae_sync.stage.procedural import ProceduralPack
from cavmae_sync.stage.truth_file import StageTruth, to_table, write_truth
from cavmae_sync.untrusted import read_object
from cavmae_sync.work.workers import num_cores, run_in_workers

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSummary:
    """Result of one call of `make_stage`.

    Attributes:
        folder: The stage.
        num_clips: Clips in the stage now.
        num_made: Clips made by this call; the others were there before.
        num_classes: Classes that can appear.
    """

    folder: Path
    num_clips: int
    num_made: int
    num_classes: int


def load_pack(folder: Path | None) -> Pack:
    """Load the pack in a folder, or the built-in one for None.

    Raises:
        DatasetError: The folder is not a pack.
    """
    return ProceduralPack() if folder is None else FolderPack(folder)


def make_stage(
    out: str | os.PathLike[str],
    *,
    config: StageConfig,
    num_clips: int,
    pack: Path | None = None,
    num_workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> StageSummary:
    """Make the missing ones of clips 0 to `num_clips` - 1.

    It may be stopped at any time and called again: finished clips stay. Clips do not depend on the number of
    workers. Workers are new processes, which import the script that calls this: it needs
    `if __name__ == "__main__":` around the call.

    Args:
        out: Folder, made if missing: `clips/*.mp4`, `labels.csv`, `truth.parquet`, `stage.json`.
        config: Choices that all clips share.
        num_clips: Clips that the stage shall have at least.
        pack: Folder of cut-outs, or None for the built-in objects.
        num_workers: Number of processes; None for one per core, 1 to work in this process.
        on_progress: Called with the number of clips made so far and the number wanted.

    Raises:
        DatasetError: The folder holds clips of another configuration or pack, the pack is broken, or another
            process is making clips there.
    """
    if num_clips < 1:
        raise ValueError(f"num_clips must be at least 1, got {num_clips}")
    folder = Path(out)
    loaded = load_pack(pack)
    num_classes = len(objects_by_class(loaded, split=config.split, unknown=config.classes == "unknown"))
    busy = f"Another process is making clips in {folder}. Wait until it ends."
    with locked(folder / "writer.lock", busy=busy):
        _claim(folder, config, loaded)
        kept = _finished(folder)
        missing = [index for index in range(num_clips) if config.video_id(index) not in kept]
        make = partial(_make_clip, folder=folder, config=config, pack=pack)
        for done, _ in enumerate(_run(make, missing, num_workers or num_cores()), start=1):
            if on_progress is not None:
                on_progress(num_clips - len(missing) + done, num_clips)
        _gather(folder)
    return StageSummary(
        folder=folder, num_clips=len(StageTruth(folder)), num_made=len(missing), num_classes=num_classes
    )


@cache
def _pack_of_process(folder: Path | None) -> Pack:
    return load_pack(folder)


def _make_clip(index: int, *, folder: Path, config: StageConfig, pack: Path | None) -> int:
    clip = generate_clip(index, config=config, pack=_pack_of_process(pack))
    name = clip.truth.video_id
    write_video(
        folder / "clips" / f"{name}.mp4",
        clip.frames_THWC,
        frames_per_second=config.frames_per_second,
        waveform_S=clip.waveform_S,
    )
    # The truth comes last: where it is, the clip is complete.
    write_truth(_parts(folder) / f"{name}.parquet", [to_table(clip.truth)])
    return index


def _run(make: Callable[[int], int], indices: list[int], num_workers: int) -> Iterator[int]:
    is_small = num_workers == 1 or len(indices) < 2
    return run_in_workers(make, indices, num_workers=0 if is_small else num_workers)


def _parts(folder: Path) -> Path:
    return folder / "parts"


def _claim(folder: Path, config: StageConfig, pack: Pack) -> None:
    """Write `stage.json`, or check that the one there says the same; remove leftovers of a killed call."""
    wanted: dict[str, object] = {
        "version": STAGE_VERSION,
        "name": stage_name(config, pack_fingerprint=pack.fingerprint),
        "pack": pack.fingerprint,
        "plans_sha256": plans_sha256(config, pack),
        "config": config.model_dump(mode="json"),
    }
    path = folder / "stage.json"
    if path.is_file():
        found = read_object(path, remedy="Use another folder.")
        if found.get("version") != STAGE_VERSION:
            raise DatasetError(
                f"{folder} is a stage of version {found.get('version')}. It can be read, but clips of "
                f"version {STAGE_VERSION}, which this program makes, cannot be added to it. "
                "Use another folder."
            )
        if found != wanted:
            raise DatasetError(
                f"{folder} holds clips of another stage: {_differences(found, wanted)}. "
                f"Use another folder, or the same settings to add to this one."
            )
    for needed in (folder / "clips", _parts(folder)):
        needed.mkdir(parents=True, exist_ok=True)
    for part in [
        *(folder / "clips").glob(f"*.mp4.*{PART_SUFFIX}"),
        *_parts(folder).glob(f"*.parquet.*{PART_SUFFIX}"),
    ]:
        part.unlink()
    write_text(path, json.dumps(wanted, indent=2) + "\n")


def _differences(found: dict[str, object], wanted: dict[str, object]) -> str:
    def flat(tree: dict[str, object]) -> dict[str, object]:
        config = tree.get("config")
        return {**tree, "config": None, **(config if isinstance(config, dict) else {})}

    old, new = flat(found), flat(wanted)
    differing = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    # Name and plans follow from the rest: alone they say that another program planned the clips.
    differing = [key for key in differing if key not in {"name", "plans_sha256"}] or differing
    return ", ".join(f"{key} is {old.get(key)!r}, not {new.get(key)!r}" for key in differing)


def _finished(folder: Path) -> set[str]:
    described = {path.stem for path in _parts(folder).glob("*.parquet")}
    if (folder / "truth.parquet").is_file():
        described |= set(StageTruth(folder))
    return {name for name in described if (folder / "clips" / f"{name}.mp4").is_file()}


def _gather(folder: Path) -> None:
    """Join the truth of single clips into one file, then remove the single files."""
    pieces = sorted(_parts(folder).glob("*.parquet"))
    if pieces:
        write_truth(folder / "truth.parquet", _all_rows(folder, pieces))
    truth = StageTruth(folder)
    rows = [(video_id, ";".join(labels)) for video_id, labels in sorted(truth.labels().items())]
    write_text(folder / "labels.csv", csv_text([("video_id", "labels"), *rows]))
    for piece in pieces:
        piece.unlink()
    _parts(folder).rmdir()


def _all_rows(folder: Path, pieces: list[Path]) -> Iterator[pa.Table]:
    fresh = {piece.stem for piece in pieces}
    if (folder / "truth.parquet").is_file():
        file = pq.ParquetFile(folder / "truth.parquet")
        for number in range(file.num_row_groups):
            row = file.read_row_group(number)
            if row.column("video_id")[0].as_py() not in fresh:
                yield row
    for piece in pieces:
        yield pq.ParquetFile(piece).read()

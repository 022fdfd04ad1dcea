"""Maker of the real pack: a folder with the objects chosen, their recordings, photographs and licences."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from cavmae_sync.atomic import csv_text, locked, write_text
from cavmae_sync.choices import Split, Voice
from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.packages.choose import Chosen, choose_objects
from cavmae_sync.stage.packages.installed import (
    PACKAGES,
    Candidate,
    find_candidates,
    find_landscapes,
    find_licences,
)
from cavmae_sync.untrusted import read_object

#: To be increased when another choice or split is made of the same packages.
_VERSION: Final = 1
_PHOTOGRAPH_DEAL: Final[tuple[Split, ...]] = ("train", "test", "train", "validation", "train")
_FEWEST_PHOTOGRAPHS: Final = 4
_NOTICE: Final = """\
Pictures, recordings and photographs in this folder are copies from three Debian packages:

- qabcs-data: GPL-3 or later, some pictures CC0 or in the public domain;
- tuxpaint-stamps-default: GPL-2 or later;
- tuxpaint-data (the photographs in backdrops/): GPL-2 or later.

The folder licences/ holds the copyright file of each package that this machine has. Clips made of
them are works made of these: if you pass them on, do so under the GPL, version 3 or later.
"""


def make_real_pack(
    folder: Path,
    *,
    voice: Voice = "effects",
    root: Path = Path("/"),
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make the real pack in a folder, unless it is there; returns the folder, which `FolderPack` reads.

    Args:
        folder: Folder to write to: `classes.csv`, pictures, recordings, `backdrops/`, `left_out.csv`,
            `NOTICE.txt`, `licences/`, and last of all `pack.json`.
        voice: `effects` (recordings of the things), `names` (spoken names in several languages) or `both`
            (things with an effect, heard by it or by one of their names).
        root: Folder that the packages are unpacked in; `/` where they are installed.
        on_progress: Called with the number of pictures examined and their total.

    Raises:
        DatasetError: A package is missing, the folder holds something else, or another process is making it.
    """
    with locked(folder / "writer.lock", busy=f"Another process is making {folder}. Wait until it ends."):
        return _make(folder, voice, root, on_progress)


def _make(folder: Path, voice: Voice, root: Path, on_progress: Callable[[int, int], None] | None) -> Path:
    candidates = find_candidates(root)
    landscapes = find_landscapes(root)
    wanted: dict[str, object] = {
        "version": _VERSION,
        "name": "real",
        "voice": voice,
        "sources": _fingerprint(candidates, landscapes, voice),
    }
    if (folder / "pack.json").is_file():
        _check_same(folder, wanted)
        return folder
    if (folder / "classes.csv").exists():
        raise DatasetError(
            f"{folder} holds an unfinished pack or another one. Remove it, or use another folder."
        )
    done = iter(range(1, len(candidates) + 1))

    def advance() -> None:
        if on_progress is not None:
            on_progress(next(done), len(candidates))

    chosen, left_out = choose_objects(candidates, voice=voice, on_candidate=advance)
    _write_files(folder, chosen, landscapes, find_licences(root))
    _write_lists(folder, chosen, left_out)
    counts = {
        split: len([one for one in chosen if one.split == split]) for split in ("train", "validation", "test")
    }
    summary = wanted | {"num_objects": counts, "left_out": dict(Counter(map(_short, left_out.values())))}
    write_text(folder / "pack.json", json.dumps(summary, indent=2) + "\n")
    return folder


def _fingerprint(candidates: Sequence[Candidate], landscapes: Sequence[Path], voice: Voice) -> str:
    """SHA-256 of all names and files that can take part."""
    digest = hashlib.sha256()
    for candidate in candidates:
        for path in (candidate.picture, *candidate.sounds(voice).values()):
            digest.update(f"{candidate.name}\t{path.name}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for path in landscapes:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _check_same(folder: Path, wanted: Mapping[str, object]) -> None:
    found = read_object(folder / "pack.json", remedy="Remove the folder and make the pack again.")
    differing = [key for key, value in wanted.items() if found.get(key) != value]
    if differing:
        words = ", ".join(f"{key} is {found.get(key)!r}, not {wanted[key]!r}" for key in differing)
        raise DatasetError(f"{folder} holds another pack: {words}. Use another folder, or the same settings.")


def _write_files(
    folder: Path, chosen: Sequence[Chosen], landscapes: Sequence[Path], licences: Mapping[str, Path]
) -> None:
    if len(landscapes) < _FEWEST_PHOTOGRAPHS:
        raise DatasetError(
            f"The package {PACKAGES[-1]} has {len(landscapes)} photographs here; at least "
            f"{_FEWEST_PHOTOGRAPHS} are needed, for three splits. Install the whole package."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for one in chosen:
        shutil.copyfile(one.picture, folder / f"{one.name}.png")
        for take, path in one.sounds.items():
            shutil.copyfile(path, folder / f"{one.name}.{take}{path.suffix}")
    ordered = sorted(landscapes, key=lambda path: hashlib.sha256(path.name.encode()).digest())
    for path, split in zip(ordered, cycle(_PHOTOGRAPH_DEAL), strict=False):
        place = folder / "backdrops" / split
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.name)
    (folder / "licences").mkdir(exist_ok=True)
    for package, path in licences.items():
        shutil.copyfile(path, folder / "licences" / f"{package}.txt")
    write_text(folder / "NOTICE.txt", _NOTICE)


def _write_lists(folder: Path, chosen: Sequence[Chosen], left_out: Mapping[str, str]) -> None:
    rows = [(one.name, one.class_name, one.split, one.thing, ";".join(one.sounds)) for one in chosen]
    write_text(folder / "classes.csv", csv_text([("name", "class", "split", "thing", "takes"), *rows]))
    write_text(folder / "left_out.csv", csv_text([("name", "reason"), *sorted(left_out.items())]))


def _short(reason: str) -> str:
    """Reason without the name of the other object."""
    return reason.partition(" as ")[0].partition(":")[0]

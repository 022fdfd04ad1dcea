"""Report of an audit, and the files with the available clips."""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from cavmae_sync.atomic import csv_text, write_text
from cavmae_sync.audit.duplicates import DuplicatePair, find_duplicates, find_overlap
from cavmae_sync.audit.facts import ClipFacts
from cavmae_sync.audit.inventory import Inventory, OnProgress, check_source, take_inventory
from cavmae_sync.audit.states import Audit, ClipState, audit_clips
from cavmae_sync.data import ClipList, PrepareConfig
from cavmae_sync.safe_text import table_caption

FACTS_FILE: Final = "facts.jsonl"
#: Meaning of each state, for people.
MEANING: Final[Mapping[ClipState, str]] = {
    "missing": "no file is this clip",
    "unreadable": "the file cannot be used",
    "short": "shorter than a clip of the list: a part is missing",
    "silent": "the sound is silent",
    "still": "the picture does not change",
    "duplicate": "the same file, sound or picture as another clip, which is kept",
    "ok": "nothing is wrong",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AuditReport:
    """Report of an audit.

    Attributes:
        audit: States of all expected clips.
        inventory: Everything that was read.
        wanted: The list of clips; None without one.
        keep: States with which a clip still counts as available.
        other: Facts about the clips of the dataset that was compared; empty without one.
        overlap: Pairs of a clip and a clip of that dataset.
        against: Path of that dataset; None without one.
    """

    audit: Audit
    inventory: Inventory
    wanted: ClipList | None
    keep: tuple[ClipState, ...]
    other: tuple[ClipFacts, ...] = ()
    overlap: tuple[DuplicatePair, ...] = ()
    against: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Counts, hashes, pairs and all clips as JSON values."""
        clips = self.audit.clips
        wanted = self.wanted
        return {
            "source": str(self.inventory.root),
            "list": None
            if wanted is None
            else {
                "name": wanted.name,
                "source": wanted.source,
                "sha256": wanted.sha256,
                "clips": len(wanted),
            },
            "expected": len(self.audit.expected),
            "counts": self.audit.counts(),
            "with_problem": self.audit.with_problem(),
            "survivors": len(self.available_ids()),
            "survivors_keep": list(self.keep),
            "unreadable_by_reason": dict(self.audit.unreadable),
            "files_not_tried": dict(self.audit.skipped),
            "clips_not_expected": self.audit.num_unexpected,
            "without_fingerprint": {
                name: sum(not getattr(clip, name).any() for clip in clips) for name in ("sound", "picture")
            },
            "pairs": [_pair_to_dict(pair, clips, clips) for pair in self.audit.pairs],
            "against": self.against,
            "overlap": [_pair_to_dict(pair, clips, self.other) for pair in self.overlap],
            "clips": [
                {
                    "id": clip.id,
                    "state": clip.state,
                    "problems": list(clip.problems),
                    "details": clip.details,
                    "labels": list(clip.labels),
                    "file": clip.file,
                    "duplicate_of": clip.duplicate_of,
                }
                for clip in self.audit.expected
            ],
        }

    def available_ids(self) -> list[str]:
        """Ids of the available clips."""
        return [clip.id for clip in self.audit.available_clips(keep=self.keep)]

    def counts(self) -> dict[ClipState, int]:
        """Number of clips in each state; without a list, no "missing" and "short"."""
        counts = self.audit.counts()
        return {
            state: count
            for state, count in counts.items()
            if self.wanted is not None or state not in ("missing", "short")
        }

    def to_table(self) -> Table:
        """Numbers of clips by state as a table for the terminal."""
        total = len(self.audit.expected)
        table = Table(
            title="audit",
            caption=table_caption(self.caption()),
            caption_justify="left",
            title_justify="left",
        )
        table.add_column("state")
        table.add_column("clips", justify="right")
        table.add_column("of all", justify="right")
        table.add_column("with it", justify="right")
        table.add_column("meaning")
        having = self.audit.with_problem()
        for state, count in self.counts().items():
            share = f"{count / max(total, 1):.1%}"
            table.add_row(state, str(count), share, str(having[state]), MEANING[state])
            if state == "unreadable" and self.wanted is None:
                for reason, files in sorted(self.audit.unreadable.items()):
                    table.add_row(f"  {reason}", str(files), "", "", "")
        return table

    def caption(self) -> list[str]:
        """Sentences that explain the counts."""
        expected = "found" if self.wanted is None else f"on {self.wanted.name}"
        lines = [f"{len(self.audit.expected)} clips {expected}, {len(self.available_ids())} available"]
        if self.keep:
            lines[0] += f" ({', '.join(self.keep)} kept)"
        if self.wanted is not None:
            lines.append(
                f"list {self.wanted.sha256[:12]}; clips that are not on it: {self.audit.num_unexpected}"
            )
        num_short = sum(clip.is_short for clip in self.audit.clips)
        if self.wanted is None and num_short:
            lines.append(
                f"{num_short} shorter than a whole clip: no problem, because no list asks for longer ones"
            )
        if self.audit.pairs:
            lines.append(f"pairs of clips with the same file, sound or picture: {len(self.audit.pairs)}")
        if self.against is not None:
            num_shared = len({pair.first for pair in self.overlap})
            lines.append(f"{num_shared} clips are also in {self.against}")
        return lines

    def available_by_class(self) -> dict[str, tuple[int, int]]:
        """Number of available clips and of all clips of each label; the smallest fraction first."""
        available = set(self.available_ids())
        found: dict[str, list[bool]] = defaultdict(list)
        for clip in self.audit.expected:
            for name in clip.labels:
                found[name].append(clip.id in available)
        by_share = sorted(found.items(), key=lambda entry: (sum(entry[1]) / len(entry[1]), entry[0]))
        return {name: (sum(kept), len(kept)) for name, kept in by_share}


def audit_videos(
    source: str | os.PathLike[str],
    *,
    out: Path,
    wanted: ClipList | None = None,
    config: PrepareConfig | None = None,
    against: Path | None = None,
    keep: Sequence[ClipState] = (),
    num_workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> AuditReport:
    """Audit videos: find clips that are missing, unreadable, short, silent, still or duplicate.

    Args:
        source: Folder of videos, list of files, or a prepared dataset.
        out: Folder for the facts that are read, so that a later audit reads only new files.
        wanted: List of the expected clips; None = all clips that are found.
        config: How clips are cut from files, and thresholds; a prepared dataset has its own.
        against: A prepared dataset, or videos, in which the same clips are looked for.
        keep: Clips with only these problems count as available.
        num_workers: Worker processes; None = one per core, fewer for few clips; 0 = in this process.
        on_progress: Called with the numbers of items that are done and of all items.
    """
    config = config or PrepareConfig()
    if against is not None:
        check_source(against)
    out.mkdir(parents=True, exist_ok=True)

    def read(what: str | os.PathLike[str], name: str) -> Inventory:
        return take_inventory(
            what, facts=out / name, config=config, num_workers=num_workers, on_progress=on_progress
        )

    inventory = read(source, FACTS_FILE)
    clips = [clip for item in inventory.items for clip in item.clips]
    audit = audit_clips(inventory, find_duplicates(clips), wanted=wanted)
    other: tuple[ClipFacts, ...] = ()
    if against is not None:
        other = tuple(clip for item in read(against, f"against-{FACTS_FILE}").items for clip in item.clips)
    return AuditReport(
        audit=audit,
        inventory=inventory,
        wanted=wanted,
        keep=tuple(keep),
        other=other,
        overlap=tuple(find_overlap(clips, other)) if against is not None else (),
        against=None if against is None else str(against),
    )


def write_audit(report: AuditReport, out: Path) -> None:
    """Write `audit.json`, `audit.csv`, `survivors.txt` and, for videos, `survivors-files.csv`."""
    write_text(out / "audit.json", json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n")
    header = ("id", "state", "problems", "details", "duplicate_of", "file", "labels")
    rows = [
        (
            c.id,
            c.state,
            ";".join(c.problems),
            c.details,
            c.duplicate_of or "",
            c.file or "",
            ";".join(c.labels),
        )
        for c in report.audit.expected
    ]
    write_text(out / "audit.csv", csv_text([header, *rows]))
    available = report.audit.available_clips(keep=report.keep)
    lines = [f"{clip.id}\t{';'.join(clip.labels)}" if clip.labels else clip.id for clip in available]
    write_text(out / "survivors.txt", "".join(f"{line}\n" for line in lines))
    if not report.inventory.is_dataset:
        files = dict.fromkeys(str(report.inventory.root / str(clip.file)) for clip in available)
        write_text(out / "survivors-files.csv", csv_text([("file",), *((file,) for file in files)]))


def _pair_to_dict(
    pair: DuplicatePair, clips: Sequence[ClipFacts], others: Sequence[ClipFacts]
) -> dict[str, Any]:
    return {
        "first": clips[pair.first].id,
        "second": others[pair.second].id,
        "same": list(pair.same),
        "sound_likeness": pair.sound,
        "picture_likeness": pair.picture,
    }

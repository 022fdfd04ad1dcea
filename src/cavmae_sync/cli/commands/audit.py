"""`cavmae-sync audit`: what is missing, broken or there twice among the videos that could be obtained."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cavmae_sync.choices import ListSplit
from cavmae_sync.cli.options import Json, Workers
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines

#: A list of clips that is expected.
ListFile = Annotated[Path | None, Parameter(name="--list")]


def audit(
    source: Path,
    /,
    *overrides: str,
    out: Path,
    list_file: ListFile = None,
    split: ListSplit | None = None,
    against: Path | None = None,
    keep: Annotated[
        list[Literal["short", "silent", "still", "duplicate"]] | None, Parameter(negative="")
    ] = None,
    num_workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Say what is missing, unreadable, short, silent, still or there twice, and which clips are left.

    Finds the same sound or picture also in another size, container or quality. Writes audit.json, audit.csv,
    survivors.txt (for `evaluate retrieval --list`), of videos survivors-files.csv (for `prepare`), and
    audit.html with the pairs for you to judge. Stop it at any moment and run it again: only new files are
    read.

    Example: cavmae-sync audit my-videos --list vggsound.csv --split test --out my-audit

    Args:
        source: Folder of videos, a list of files, or a prepared dataset.
        overrides: `key=value` words of the preparation, for example `max_clips_per_file=1`.
        out: Folder for the result.
        list_file: What is expected: an official list, or any other list of clips. Without one, what is found.
        split: Which rows of VGGSound's list.
        against: A prepared dataset or videos (what you train on): which clips are also there?
        keep: Let clips with this problem survive; give it several times for several.
        num_workers: Processes; one per core unless given.
        as_json: Print the result as one JSON object.
    """
    from cavmae_sync.audit.page import write_audit_page
    from cavmae_sync.audit.report import audit_videos, write_audit
    from cavmae_sync.data import PrepareConfig, read_clip_list

    check_folder(out, option="--out")
    wanted = None if list_file is None else read_clip_list(list_file, split=split)
    with show_progress("reading clips") as advance:
        report = audit_videos(
            source,
            out=out,
            wanted=wanted,
            config=PrepareConfig().with_overrides(overrides),
            against=against,
            keep=tuple(keep or ()),
            num_workers=num_workers,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    write_audit(report, out)
    write_audit_page(report, out / "audit.html")
    if as_json:
        print_lines(json.dumps(report.to_dict(), indent=2, allow_nan=False, ensure_ascii=False))
        return
    Terminal().print(report.to_table())
    Terminal().print(f"Look at {out / 'audit.html'}", soft_wrap=True)

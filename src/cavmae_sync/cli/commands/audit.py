"""`cavmae-sync audit`: what is missing, broken or there twice among the videos that could be obtained."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cavmae_sync.choices import ListSplit
from cavmae_sync.cli.options import Json, WorkerProcesses
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json

#: A list of clips that is expected.
ListFile = Annotated[Path | None, Parameter(name="--list")]


def audit(
    source: Path,
    /,
    *words: str,
    out: Path,
    list_file: ListFile = None,
    split: ListSplit | None = None,
    against: Path | None = None,
    keep: Annotated[
        list[Literal["short", "silent", "still", "duplicate"]] | None, Parameter(negative="")
    ] = None,
    num_workers: WorkerProcesses = None,
    as_json: Json = False,
) -> None:
    """Say which clips are missing, unreadable, short, silent, still or there twice, and which are left.

    The same sound or picture is also found in another size, container or quality. OUT gets audit.json,
    audit.csv, audit.html with the pairs for you to judge, survivors.txt with the clips that are left (for
    `evaluate retrieval --list`) and, when SOURCE is videos, survivors-files.csv (for `prepare`). Stop it at
    any moment and run it again: only new files are read.

    Example: cavmae-sync audit my-videos --list vggsound.csv --split test --out my-audit

    Args:
        source: Folder of videos, a list of files, or a prepared dataset.
        words: `key=value` words, as of `cavmae-sync prepare`, for example `max_clips_per_file=1`.
        out: Folder for the result.
        list_file: List of the clips that are expected: an official one, or any other. Without it, all that is
            found is expected.
        split: Take only these rows of vggsound.csv.
        against: Prepared dataset or videos that you train on: clips that are also there are named.
        keep: Keep the clips with this problem; may be repeated.
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
            config=PrepareConfig().with_overrides(words),
            against=against,
            keep=tuple(keep or ()),
            num_workers=num_workers,
            on_progress=advance,
        )
    write_audit(report, out)
    write_audit_page(report, out / "audit.html")
    if as_json:
        print_json(report.to_dict())
        return
    Terminal().print(report.to_table())
    Terminal().print(f"Look at {out / 'audit.html'}", soft_wrap=True)

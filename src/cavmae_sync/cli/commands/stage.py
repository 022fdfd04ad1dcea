"""`cavmae-sync stage`: make clips whose truth is known."""

import json
from dataclasses import asdict
from pathlib import Path

from cavmae_sync.choices import Split
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines


def stage(
    out: Path,
    /,
    *overrides: str,
    num_clips: Count,
    split: Split = "train",
    seed: int = 0,
    pack: Path | None = None,
    num_workers: Count | None = None,
    as_json: Json = False,
) -> None:
    """Make 10-second clips in which objects move and sound, and write down the truth.

    They are a controlled experiment, not a substitute for real video: OUT/clips/*.mp4, OUT/labels.csv,
    OUT/truth.parquet. Stop it and run it again: finished clips stay.

    Example: cavmae-sync stage my-stage --num-clips 20 --split test

    Args:
        out: Folder to write to.
        overrides: `key=value` words, for example `variant=no_pulse` or `frame_pixels=128`.
        num_clips: How many clips there shall be.
        split: Which objects may appear; no object is in two splits.
        seed: Another seed gives other clips of the same objects.
        pack: Folder of cut-outs (NAME.png, NAME.ogg|wav|flac, classes.csv) instead of the built-in objects.
        num_workers: Processes; one per core unless given.
        as_json: Print one JSON object.
    """
    from cavmae_sync.stage import StageConfig, make_stage

    config = StageConfig(split=split, seed=seed).with_overrides(overrides)
    with show_progress("making clips") as advance:
        summary = make_stage(
            out,
            config=config,
            num_clips=num_clips,
            pack=pack,
            num_workers=num_workers,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if as_json:
        print_lines(json.dumps(asdict(summary), default=str))
        return
    Terminal().print(
        f"{summary.num_clips} clips of {summary.num_classes} classes in {summary.folder} "
        f"({summary.num_made} made now)",
        soft_wrap=True,
    )

"""`cavmae-sync reproduce`: the tables of the paper, run again."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cavmae_sync.choices import Scale
from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.options import Json
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import show_stages
from cavmae_sync.cli.terminal import Terminal, print_line, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.recipes.tables.datasets import TableDatasets
    from cavmae_sync.recipes.tables.reproduce import TableResult, TableRun

Paths = Annotated[list[Path] | None, Parameter(negative="")]
Words = Annotated[list[str] | None, Parameter(negative="")]
Switch = Annotated[bool, Parameter(negative="")]


def reproduce(
    table: str,
    /,
    *overrides: str,
    scale: Scale = "stage",
    out: Path = Path("reproduce"),
    seeds: str = "0,1,2",
    row: Words = None,
    train: Paths = None,
    gallery: Words = None,
    probing: Words = None,
    ade20k: Path | None = None,
    init: Path | None = None,
    allow_overlap: Switch = False,
    show: Switch = False,
    plan: Switch = False,
    as_json: Json = False,
) -> None:
    """Run the trainings and measurements of one of the paper's tables, and print it in the paper's form.

    Scale "stage" makes its own clips and trains small twins of every row on two cores (minutes each). Scale
    "full" trains the published sizes on datasets that you give. What is complete is used again: Ctrl-C stops,
    the same command goes on, other tables in the same OUT share trainings, and seeds may run on several
    machines. OUT gets TABLE.json, TABLE.md and TABLE.png.

    Tables: table1 to table8, table10, table11, table12, figure4.

    Example: cavmae-sync reproduce table7 --seeds 0 num_epochs=2 num_train_clips=100 num_test_clips=20

    Args:
        table: Which one.
        overrides: `key=value` words: num_train_clips, num_test_clips, num_epochs (scale "stage").
        scale: "stage" or "full".
        out: Folder of all tables.
        seeds: Seeds of training, separated by commas.
        row: Run these rows only; may be repeated.
        train: Prepared pretraining set; repeat for another number of frames a clip (scale "full").
        gallery: NAME=DATASET, a retrieval set, for example AS=my-audioset-eval; may be repeated.
        probing: NAME=TRAIN,TEST, two labelled sets, for example AS20k=balanced,eval; may be repeated.
        ade20k: Folder of ADE20KSoundPrompted.
        init: Weights that pretraining starts from.
        allow_overlap: Measure also on clips that are among those to learn from (told by their content).
        show: Print what there is, run nothing.
        plan: Print the commands that this one stands for, for a shell: clips, datasets, each training. Run
            some of them elsewhere, if you like; what is there is used.
        as_json: Print the table as one JSON object.
    """
    from cavmae_sync.recipes.reporter import Reporter
    from cavmae_sync.recipes.tables.paper_tables import find_table
    from cavmae_sync.recipes.tables.reproduce import ReproduceConfig, TableRun

    check_folder(out, option="--out")
    given = None
    if scale == "full":
        given = _materials(train or [], gallery or [], probing or [], ade20k, init)
        given = replace(given, allow_overlap=allow_overlap)
    with stop_on_signal() as should_stop, show_stages(should_stop) as on_progress:
        table_run = TableRun(
            find_table(table, rows=row or []),
            out,
            config=ReproduceConfig(scale=scale).with_overrides(overrides),
            seeds=_seeds(seeds),
            given=given,
            reporter=Reporter(on_progress=on_progress, should_stop=should_stop),
        )
        if plan:
            _print_plan(table_run, table, overrides)
            return
        result = table_run.result() if show else table_run.run()
        is_stopped = should_stop()
    _write(result, out, as_json=as_json)
    if is_stopped:
        raise KeyboardInterrupt("stopped; what was finished is kept. Run the same command again to go on.")


def _seeds(words: str) -> list[int]:
    try:
        return [int(word) for word in words.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--seeds {words!r} must be whole numbers separated by commas, like 0,1,2."
        ) from error


def _materials(
    train: Sequence[Path],
    gallery: Sequence[str],
    probing: Sequence[str],
    ade20k: Path | None,
    init: Path | None,
) -> "TableDatasets":
    from cavmae_sync.recipes.tables.datasets import ProbingLists, TableDatasets, by_frames

    if not train:
        raise ConfigError(
            "Scale full needs a pretraining set: --train DATASET (cavmae-sync prepare makes one)."
        )
    galleries: dict[str, list[Path]] = {}
    for word in gallery:
        name, paths = _named(word, "--gallery", count=1)
        galleries.setdefault(name, []).extend(paths)
    lists: dict[str, list[list[Path]]] = {}
    for word in probing:
        name, paths = _named(word, "--probing", count=2)
        lists.setdefault(name, []).append(paths)
    return TableDatasets(
        train=by_frames(train),
        galleries={name: by_frames(paths) for name, paths in galleries.items()},
        probing={
            name: ProbingLists(
                train=by_frames([pair[0] for pair in pairs]), test=by_frames([pair[1] for pair in pairs])
            )
            for name, pairs in lists.items()
        },
        ade20k=ade20k,
        init=init,
    )


def _named(word: str, option: str, *, count: int) -> tuple[str, list[Path]]:
    name, separator, paths = word.partition("=")
    parts = [Path(part) for part in paths.split(",") if part]
    if not (name and separator) or len(parts) != count:
        form = "NAME=DATASET" if count == 1 else "NAME=TRAIN,TEST"
        raise ConfigError(f"{option} {word!r} must be {form}.")
    return name, parts


def _print_plan(table_run: "TableRun", table: str, overrides: Sequence[str]) -> None:
    from cavmae_sync.recipes.tables.plan import plan

    for line in plan(table_run):
        print_line(line)
    print_line("# then all of it is measured, and put into the table, by this command without --plan")
    if table_run.makes_clips:
        seeds = ",".join(map(str, table_run.seeds))
        words = ["cavmae-sync", "reproduce", table, *overrides, "--seeds", seeds, "--out", str(table_run.out)]
        print_line(shlex.join(words))


def _write(result: "TableResult", out: Path, *, as_json: bool) -> None:
    from cavmae_sync.atomic import write_text
    from cavmae_sync.figures import save_figure
    from cavmae_sync.recipes.tables.text import to_dict, to_figure, to_markdown, to_tables

    name = result.table.name
    text = json.dumps(to_dict(result), indent=2, ensure_ascii=False) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / f"{name}.json", text)
    write_text(out / f"{name}.md", to_markdown(result))
    save_figure(to_figure(result), out / f"{name}.png")
    if as_json:
        print_lines(text)
        return
    Terminal().print(*to_tables(result))
    Terminal().print(f"Also in {out / name}.md, .json and .png", soft_wrap=True)

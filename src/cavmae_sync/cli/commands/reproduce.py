"""`cavmae-sync reproduce`: the tables of the paper, run again."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.options import Jobs, Json, Switch, num_jobs, seed_numbers
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import show_stages
from cavmae_sync.cli.terminal import Terminal, print_line, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.recipes.tables.datasets import TableDatasets
    from cavmae_sync.recipes.tables.reproduce import TableRun
    from cavmae_sync.recipes.tables.table_result import TableResult

Paths = Annotated[list[Path] | None, Parameter(negative="")]
Words = Annotated[list[str] | None, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetOptions:
    """Datasets and weights of somebody's own, for scale=full.

    Attributes:
        train: Prepared pretraining set; repeat it for another number of frames a clip.
        gallery: NAME=DATASET, a retrieval set, for example AS=my-audioset-eval; may be repeated.
        probing: NAME=TRAIN,TEST, two labelled sets, for example AS20k=balanced,eval; may be repeated.
        ade20k: Folder of ADE20KSoundPrompted.
        init: Weights that pretraining starts from.
        allow_overlap: Measure also on clips that are among those to learn from (compared by content).
    """

    train: Paths = None
    gallery: Words = None
    probing: Words = None
    ade20k: Path | None = None
    init: Path | None = None
    allow_overlap: Switch = False


def reproduce(
    table: str,
    /,
    *words: str,
    out: Path = Path("reproduce"),
    seeds: str = "0,1,2",
    row: Words = None,
    task: Words = None,
    jobs: Jobs = "1",
    datasets: DatasetOptions = DatasetOptions(),
    show: Switch = False,
    plan: Switch = False,
    as_json: Json = False,
) -> None:
    """Run the trainings and measurements of one of the paper's tables, and print it in the paper's form.

    With `scale=stage` it makes its own clips and trains a small twin of every row on two cores (minutes
    each), and measures the untrained models beside them. With `scale=full` it trains the published sizes on
    the datasets of --train, --gallery, --probing and --ade20k. What is complete is used again: Ctrl-C stops,
    the same command goes on, other tables in the same OUT share trainings, and seeds may run on several
    machines. OUT gets TABLE.json, TABLE.md and TABLE.png.

    Tables: table1 to table8, table10, table11, table12, figure4, figure6; and of our own sync_plus,
    tg_dp and windows.

    Words, with their defaults:

    - `scale=stage`: stage or full.
    - `num_train_clips=1000`, `num_test_clips=1000`: generated clips of scale stage.
    - `variant=bind`: variant of the generated clips.
    - `pack=none`: folder of objects and sounds, as `stage --pack real` makes it; none for built-in ones.
    - `test_objects=new`: or known, to measure with new clips of the objects that were learned from.
    - `num_epochs=120`: passes over the generated clips in each training of scale stage.
    - `budget=epochs`: or compute, so that no row costs more than sync_base.
    - `precision=auto`: of training; bfloat16 is faster on processors that have it.

    Example: cavmae-sync reproduce table7 --seeds 0 num_epochs=2 num_train_clips=100 num_test_clips=20

    Args:
        table: Name of the table.
        words: `key=value` words, for example `num_epochs=2`.
        out: Folder of all tables.
        seeds: Seeds of training, separated by commas.
        row: Run only this row; may be repeated.
        task: Measure only this task of the table (retrieval, segmentation, probing, states); may be repeated.
        show: Print the results that are there; run nothing.
        plan: Print the shell commands of all steps (clips, datasets, each training); run nothing. Any of them
            may be run elsewhere: results that are there are used.
    """
    from cavmae_sync.recipes.reporter import Reporter
    from cavmae_sync.recipes.tables.paper_tables import find_table
    from cavmae_sync.recipes.tables.reproduce import TableRun
    from cavmae_sync.recipes.tables.table_result import ReproduceConfig

    check_folder(out, option="--out")
    config = ReproduceConfig().with_overrides(words)
    with stop_on_signal() as should_stop, show_stages(should_stop) as on_progress:
        table_run = TableRun(
            find_table(table, rows=row or [], tasks=task or []),
            out,
            config=config,
            seeds=seed_numbers(seeds),
            given=_given_datasets(datasets) if config.scale == "full" else None,
            reporter=Reporter(on_progress=on_progress, should_stop=should_stop),
            num_processes=num_jobs(jobs),
        )
        if plan:
            _print_plan(table_run, table, words)
            return
        result = table_run.result() if show else table_run.run()
        is_stopped = should_stop()
    _write(result, out, as_json=as_json)
    if is_stopped:
        raise KeyboardInterrupt("stopped; what was finished is kept. Run the same command again to go on.")


def _given_datasets(options: DatasetOptions) -> "TableDatasets":
    from cavmae_sync.recipes.tables.datasets import ProbingLists, TableDatasets, by_frames

    if not options.train:
        raise ConfigError(
            "scale=full needs a pretraining set: --train DATASET (cavmae-sync prepare makes one)."
        )
    galleries: dict[str, list[Path]] = {}
    for word in options.gallery or []:
        name, paths = _named(word, "--gallery", count=1)
        galleries.setdefault(name, []).extend(paths)
    lists: dict[str, list[list[Path]]] = {}
    for word in options.probing or []:
        name, paths = _named(word, "--probing", count=2)
        lists.setdefault(name, []).append(paths)
    return TableDatasets(
        train=by_frames(options.train),
        galleries={name: by_frames(paths) for name, paths in galleries.items()},
        probing={
            name: ProbingLists(
                train=by_frames([pair[0] for pair in pairs]), test=by_frames([pair[1] for pair in pairs])
            )
            for name, pairs in lists.items()
        },
        ade20k=options.ade20k,
        init=options.init,
        allow_overlap=options.allow_overlap,
    )


def _named(word: str, option: str, *, count: int) -> tuple[str, list[Path]]:
    name, separator, paths = word.partition("=")
    parts = [Path(part) for part in paths.split(",") if part]
    if not (name and separator) or len(parts) != count:
        form = "NAME=DATASET" if count == 1 else "NAME=TRAIN,TEST"
        raise ConfigError(f"{option} {word!r} must be {form}.")
    return name, parts


def _print_plan(table_run: "TableRun", table: str, words: Sequence[str]) -> None:
    from cavmae_sync.recipes.tables.plan import plan

    for line in plan(table_run):
        print_line(line)
    print_line("# then all of it is measured, and put into the table, by this command without --plan")
    if table_run.makes_clips:
        seeds = ",".join(map(str, table_run.seeds))
        whole = ["cavmae-sync", "reproduce", table, *words, "--seeds", seeds, "--out", str(table_run.out)]
        print_line(shlex.join(whole))


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

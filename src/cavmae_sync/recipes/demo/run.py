"""Demo: clips, datasets, a trained model, its numbers and a page, in minutes.

Each step writes a folder of its own and is skipped when that is complete, so a demo that was stopped goes on.
`time_budget` keeps the minutes.

    OUT/stage-train, OUT/stage-test     generated clips (not with --videos)
    OUT/data-train, OUT/data-test       prepared datasets
    OUT/run                             the pretraining run
    OUT/demo.json, OUT/plan.json        configuration; time spent and numbers of clips
    OUT/report.html                     the result
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.data import PairDataset, PreparedDataset, prepare
from cavmae_sync.data.preparing.sources import list_sources
from cavmae_sync.errors import DatasetError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.demo.config import DemoConfig, demo_pretraining
from cavmae_sync.recipes.demo.report import write_report
from cavmae_sync.recipes.demo.time_budget import DemoClock, TrainingPlan, planned
from cavmae_sync.recipes.generated_clips import (
    StageSplit,
    generate_split,
    prepare_config,
    prepare_split,
    stage_config,
)
from cavmae_sync.recipes.reporter import OnNamedProgress, Reporter
from cavmae_sync.recipes.run import continue_pretraining, run_pretraining
from cavmae_sync.tasks.retrieval import RetrievalReport
from cavmae_sync.tasks.retrieval.measured import Measured
from cavmae_sync.training import (
    Callbacks,
    PretrainConfig,
    Pretraining,
    RunFolder,
    StepReport,
    open_world,
)
from cavmae_sync.untrusted import read_json

#: One in this many of own files is held out.
TEST_EVERY = 5
#: Size of own files below which starting worker processes takes longer than reading them here.
SMALL_BYTES = 4_000_000
#: Clips of a training step, if there are enough.
BATCH_SIZE = 64
#: Trial steps, thrown away, whose time gives the first plan of training.
TRIAL_STEPS = 8
#: Share of the minutes that making the clips of a list may take.
CLIPS_SHARE: Mapping[StageSplit, float] = MappingProxyType({"train": 0.18, "test": 0.11})
#: Least generated clips of a list, even if they take longer.
FEWEST_CLIPS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """Result of a demo: the page, the weights, and retrieval on the test clips with its controls."""

    page: Path
    weights: Path
    measured: Measured

    @property
    def retrieval(self) -> RetrievalReport:
        """Retrieval of the model."""
        return self.measured.report


def run_demo(
    out: Path, *, config: DemoConfig, reporter: Reporter | None = None, began: float | None = None
) -> DemoResult | None:
    """Run or continue a demo.

    Args:
        out: Folder of the demo.
        config: Configuration; must equal the stored one if `out` holds a demo.
        reporter: Callbacks.
        began: Time at which the minutes of this start began, by `time.monotonic()`; None is now.

    Returns:
        The result, or None if it was asked to stop during training.

    Raises:
        DatasetError: `out` holds another demo, another process runs it, or there are too few videos.
    """
    with locked(out / "writer.lock", busy=f"Another demo is running in {out}. Wait until it ends."):
        return _run(out, config, reporter or Reporter(), began)


def _run(out: Path, config: DemoConfig, reporter: Reporter, began: float | None) -> DemoResult | None:
    _claim(out, config)
    clock = DemoClock(out / "plan.json", minutes=config.minutes, began=began)
    train, test = _datasets(out, config, clock, reporter)
    if min(len(train), len(test)) < 2:
        raise DatasetError(
            f"There are {len(train)} clips to learn from and {len(test)} to measure with. At least two of "
            "each are needed, to tell matching pairs from others. Add videos, or longer ones."
        )
    run = _train(out / "run", config, train=train, test=test, clock=clock, reporter=reporter)
    if run is None:
        return None
    reporter.on_progress("measuring", 0, 1)
    stage = out / "stage-test" if config.videos is None else None
    measured = write_report(out / "report.html", run=run, config=config, test=test, train=train, stage=stage)
    reporter.on_progress("measuring", 1, 1)
    return DemoResult(page=out / "report.html", weights=run.weights, measured=measured)


def _claim(out: Path, config: DemoConfig) -> None:
    stored = out / "demo.json"
    out.mkdir(parents=True, exist_ok=True)
    if stored.exists() and read_json(stored, DemoConfig, remedy="Use another --out.") != config:
        raise DatasetError(
            f"{out} holds a demo with other settings ({stored}). Use the same ones to go on, "
            "or another --out."
        )
    write_text(stored, config.model_dump_json(indent=2) + "\n")


def _datasets(
    out: Path, config: DemoConfig, clock: DemoClock, reporter: Reporter
) -> tuple[PreparedDataset, PreparedDataset]:
    folders = {split: out / f"data-{split}" for split in ("train", "test")}
    if config.videos is None:
        num_clips: dict[StageSplit, int] = {"train": config.num_train_clips, "test": config.num_test_clips}
        for split, wanted in num_clips.items():
            _make_dataset(out, split, wanted, config=config, clock=clock, reporter=reporter)
    else:
        for split, names in _split_files(Path(config.videos), out).items():
            _prepare_files(names, folders[split], config, reporter)
    return PreparedDataset.open(folders["train"]), PreparedDataset.open(folders["test"])


def _make_dataset(
    out: Path, split: StageSplit, wanted: int, *, config: DemoConfig, clock: DemoClock, reporter: Reporter
) -> None:
    def make(num_clips: int, on_progress: OnNamedProgress) -> Path:
        return generate_split(
            out,
            split,
            num_clips=num_clips,
            config=stage_config(
                split, frame_pixels=config.frame_pixels, seed=config.seed, variant=config.variant
            ),
            on_progress=on_progress,
        )

    decided = clock.num_clips(split)
    if decided is None:
        decided = _generate_within_time(make, out, split, wanted, clock=clock, reporter=reporter)
        clock.decide(split, decided)
    stage = make(decided, reporter.on_progress)
    prepare_split(stage, out / f"data-{split}", config.frame_pixels, on_progress=reporter.on_progress)


def _generate_within_time(
    make: Callable[[int, OnNamedProgress], Path],
    out: Path,
    split: StageSplit,
    wanted: int,
    *,
    clock: DemoClock,
    reporter: Reporter,
) -> int:
    """Generate clips 0 to N - 1. Returns N: as many as wanted, or fewer if time is up before."""
    is_over = clock.timer(share=CLIPS_SHARE[split])

    def watch(what: str, num_done: int, num_all: int) -> None:
        reporter.on_progress(what, num_done, num_all)
        clock.keep()
        if num_done >= FEWEST_CLIPS and is_over():
            raise _TimeIsUpError

    with suppress(_TimeIsUpError):
        make(wanted, watch)
        return wanted
    names = (path.stem for path in (out / f"stage-{split}" / "clips").glob("*.mp4"))
    # Workers finish out of order: clips that are missing before the last one are generated later.
    return 1 + max(int(name.rsplit("-", 1)[1]) for name in names)


class _TimeIsUpError(Exception):
    """Ends the generation of clips from its callback; finished clips stay."""


def _split_files(videos: Path, out: Path) -> dict[str, Path]:
    """List files of training and held-out videos: every fifth, in the order of names, is held out."""
    listing = list_sources(videos)
    files = [str(listing.root / file.path) for file in listing.files]
    if not files:
        raise DatasetError(f"{videos} holds no video files. Give a folder with videos.")
    has_enough = len(files) >= 2 * TEST_EVERY
    test = files[::TEST_EVERY] if has_enough else files
    train = [file for k, file in enumerate(files) if k % TEST_EVERY] if has_enough else files
    lists = {"train": train, "test": test}
    for split, names in lists.items():
        write_text(out / f"{split}.txt", "".join(f"{name}\n" for name in names))
    return {split: out / f"{split}.txt" for split in lists}


def _prepare_files(names: Path, out: Path, config: DemoConfig, reporter: Reporter) -> None:
    num_bytes = sum(file.num_bytes or 0 for file in list_sources(names).files)
    prepare(
        names,
        out=out,
        config=prepare_config(config.frame_pixels),
        num_workers=0 if num_bytes < SMALL_BYTES else None,
        on_progress=lambda progress: reporter.on_progress(
            f"preparing {out.name}", progress.num_done, progress.num_files
        ),
    )


def _train(
    folder: Path,
    config: DemoConfig,
    *,
    train: PreparedDataset,
    test: PreparedDataset,
    clock: DemoClock,
    reporter: Reporter,
) -> RunFolder | None:
    """Train until the time for it is over; returns None if asked to stop."""
    run = RunFolder(folder)
    batch_size = min(BATCH_SIZE, 1 << (len(train).bit_length() - 1))  # a power of two within the clips
    plan = TrainingPlan(clock, batch_size=batch_size, num_test_clips=len(test))

    def on_step(report: StepReport) -> None:
        reporter.on_progress("pretraining", report.step, report.num_steps)
        plan.note(report)
        clock.keep()

    callbacks = Callbacks(on_step=on_step, should_stop=lambda: reporter.should_stop() or plan.is_off())
    if (folder / "config.json").exists():
        plan.follow(run.config())
        result = continue_pretraining(folder, callbacks=callbacks)
    else:
        trial = demo_pretraining(config, num_steps=TRIAL_STEPS, batch_size=batch_size)
        num_steps = plan.fitting_steps_of_trial(_seconds_of_steps(trial, train))
        recipe = demo_pretraining(config, num_steps=num_steps, batch_size=batch_size)
        recipe = planned(recipe, num_steps=num_steps)
        plan.follow(recipe)
        result = run_pretraining(
            recipe, data=train.folder, validation=test.folder, out=folder, callbacks=callbacks
        )
    while not result.is_complete:
        if reporter.should_stop():
            return None
        renewed = plan.renewed(run.config())
        run.replace_config(renewed)
        plan.follow(renewed)
        result = continue_pretraining(folder, callbacks=callbacks)
    return run


def _seconds_of_steps(config: PretrainConfig, train: PreparedDataset) -> list[float]:
    """Seconds of trial steps, without the first half of them. Their run is thrown away."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder, open_world() as world:
        Pretraining(
            # Without a validation, which would be counted as a step.
            config.model_copy(
                update={"loop": config.loop.model_copy(update={"validate_every_steps": TRIAL_STEPS + 1})}
            ),
            model=CAVMAESync(config.model),
            train=PairDataset(train, inputs=config.model.inputs),
            validation=None,
            world=world,
            run=RunFolder.create(Path(folder), config, {}),
            callbacks=Callbacks(on_step=lambda _: times.append(time.monotonic())),
        ).run()
    gaps = [after - before for before, after in itertools.pairwise(times)]
    return gaps[len(gaps) // 2 :]

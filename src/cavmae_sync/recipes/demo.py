"""The whole path in minutes: clips -> dataset -> model -> numbers -> a page to look at.

Each stage writes its own folder and is skipped when it is complete, so a stop in the middle continues:

    OUT/stage-train, OUT/stage-test     generated clips (not with --videos)
    OUT/data-train, OUT/data-test       prepared datasets
    OUT/run                             the pretraining run
    OUT/demo.json                       what was decided at the first start
    OUT/report.html                     the result
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cavmae_sync.atomic import write_text
from cavmae_sync.data import PairDataset, PrepareConfig, PreparedDataset, prepare
from cavmae_sync.data.sources import list_sources
from cavmae_sync.errors import DatasetError
from cavmae_sync.evaluation import RetrievalReport
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.demo_config import DemoConfig, demo_pretraining
from cavmae_sync.recipes.demo_report import write_report
from cavmae_sync.recipes.materials import StageSplit, make_split, prepare_split
from cavmae_sync.recipes.run import continue_pretraining, run_pretraining
from cavmae_sync.training import (
    PretrainConfig,
    Pretraining,
    RunFolder,
    Watchers,
    open_world,
)

#: Every this many of somebody's own files is held out.
TEST_EVERY = 5
#: Clips of a training step, where there are enough.
BATCH_SIZE = 64
#: Steps whose pace decides the length of the run, and the least length.
TRIAL_STEPS, MIN_STEPS = 8, 50
#: Part of the time left that training may take; validation, measuring and drawing take the rest.
TRAINING_SHARE = 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoReporter:
    """Who looks on.

    Attributes:
        on_progress: Called with what is being done, what is done and what there is in all.
        should_stop: Asked after each training step.
    """

    on_progress: Callable[[str, int, int], None] = lambda *_: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """The page, the weights, and what they can do on the test clips."""

    page: Path
    weights: Path
    retrieval: RetrievalReport


def run_demo(out: Path, *, config: DemoConfig, reporter: DemoReporter | None = None) -> DemoResult | None:
    """Run or continue a demo.

    Args:
        out: Folder of the demo.
        config: What it is made of; must equal the stored one where `out` holds a demo.
        reporter: Who looks on.

    Returns:
        The result, or None when it was asked to stop during training.

    Raises:
        DatasetError: `out` holds another demo, or there are too few videos.
    """
    began, reporter = time.monotonic(), reporter or DemoReporter()
    _claim(out, config)
    train, test = _datasets(out, config, reporter)
    if min(len(train), len(test)) < 2:
        raise DatasetError(
            f"there are {len(train)} clips to learn from and {len(test)} to measure with; to tell what "
            "belongs together from what does not takes two of each at least. Add videos, or longer ones."
        )
    run_path = out / "run"
    watchers = Watchers(
        on_step=lambda report: reporter.on_progress("pretraining", report.step, report.num_steps),
        should_stop=reporter.should_stop,
    )
    if (run_path / "config.json").exists():
        result = continue_pretraining(run_path, watchers=watchers)
    else:
        seconds_left = config.minutes * 60 - (time.monotonic() - began)
        recipe = _fit_to_time(config, train, seconds=seconds_left)
        result = run_pretraining(
            recipe, data=train.folder, validation=test.folder, out=run_path, watchers=watchers
        )
    if not result.is_complete:
        return None
    reporter.on_progress("measuring", 0, 1)
    retrieval = write_report(out / "report.html", run=result.run, config=config, test=test, train=train)
    reporter.on_progress("measuring", 1, 1)
    return DemoResult(page=out / "report.html", weights=result.run.weights, retrieval=retrieval)


def _claim(out: Path, config: DemoConfig) -> None:
    stored = out / "demo.json"
    out.mkdir(parents=True, exist_ok=True)
    if stored.exists() and DemoConfig.model_validate_json(stored.read_text("utf-8")) != config:
        raise DatasetError(
            f"{out} holds a demo with other settings ({stored}). Use the same ones to go on, "
            "or another --out."
        )
    write_text(stored, config.model_dump_json(indent=2) + "\n")


def _datasets(
    out: Path, config: DemoConfig, reporter: DemoReporter
) -> tuple[PreparedDataset, PreparedDataset]:
    folders = {split: out / f"data-{split}" for split in ("train", "test")}
    if config.videos is None:
        _make_datasets(out, folders, config, reporter)
    else:
        for split, names in _split_files(Path(config.videos), out).items():
            _prepare_files(names, folders[split], config, reporter)
    return PreparedDataset.open(folders["train"]), PreparedDataset.open(folders["test"])


def _make_datasets(
    out: Path, folders: Mapping[str, Path], config: DemoConfig, reporter: DemoReporter
) -> None:
    num_clips: dict[StageSplit, int] = {"train": config.num_train_clips, "test": config.num_test_clips}
    for split, num in num_clips.items():
        stage = make_split(
            out,
            split,
            num_clips=num,
            frame_pixels=config.frame_pixels,
            seed=config.seed,
            on_progress=reporter.on_progress,
        )
        prepare_split(stage, folders[split], config.frame_pixels, on_progress=reporter.on_progress)


def _split_files(videos: Path, out: Path) -> dict[str, Path]:
    """Lists of the files to learn from and of those held out: every fifth, in the order of their names."""
    listing = list_sources(videos)
    files = [str(listing.root / file.path) for file in listing.files]
    if not files:
        raise DatasetError(f"{videos} holds no video files. Name a folder that does.")
    has_enough = len(files) >= 2 * TEST_EVERY
    test = files[::TEST_EVERY] if has_enough else files
    train = [file for k, file in enumerate(files) if k % TEST_EVERY] if has_enough else files
    lists = {"train": train, "test": test}
    for split, names in lists.items():
        write_text(out / f"{split}.txt", "".join(f"{name}\n" for name in names))
    return {split: out / f"{split}.txt" for split in lists}


def _prepare_files(names: Path, out: Path, config: DemoConfig, reporter: DemoReporter) -> None:
    prepare(
        names,
        out=out,
        config=PrepareConfig(frame_pixels=config.frame_pixels),
        on_progress=lambda progress: reporter.on_progress(
            f"preparing {out.name}", progress.num_done, progress.num_files
        ),
    )


def _fit_to_time(config: DemoConfig, train: PreparedDataset, *, seconds: float) -> PretrainConfig:
    """As many steps as the time left allows, by the pace of a few steps that are thrown away."""
    batch_size = min(BATCH_SIZE, 1 << (len(train).bit_length() - 1))
    trial = demo_pretraining(config, num_steps=TRIAL_STEPS, batch_size=batch_size)
    seconds_per_step = _pace(trial, train)
    num_steps = round(seconds * TRAINING_SHARE / seconds_per_step)
    return demo_pretraining(config, num_steps=max(num_steps, MIN_STEPS), batch_size=batch_size)


def _pace(config: PretrainConfig, train: PreparedDataset) -> float:
    """Median seconds of a step, the first ones left out."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder, open_world() as world:
        Pretraining(
            config.model_copy(
                update={"loop": config.loop.model_copy(update={"validate_every_steps": TRIAL_STEPS + 1})}
            ),
            model=CAVMAESync(config.model),
            train=PairDataset(train, inputs=config.model.inputs),
            validation=None,
            world=world,
            run=RunFolder.create(Path(folder), config, {}),
            watchers=Watchers(on_step=lambda _: times.append(time.monotonic())),
        ).run()
    gaps = [after - before for before, after in itertools.pairwise(times)]
    return statistics.median(gaps[len(gaps) // 2 :])

"""Reproduction of a table: trains and measures what is missing, and collects the cells.

    OUT/reproduce.json                       settings; a later command with other settings is refused
    OUT/datasets/                           generated clips and datasets, shared by all (scale "stage")
    OUT/runs/RECIPE-16-frames/seed-0/        a pretraining run, shared by all tables that need it
    OUT/cells/RECIPE-16-frames/seed-0/*.json its measurements
    OUT/table6.json, .md, .png               the table

Whatever is complete is used again: a run that was stopped goes on, and seeds can run on different machines
over one folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import Field

from cavmae_sync.atomic import write_text
from cavmae_sync.choices import Scale
from cavmae_sync.config import Config
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.many_runs import (
    PlannedRun,
    begin_or_continue,
    num_runs_fitting,
    progress,
    run_many,
)
from cavmae_sync.recipes.pretraining import find_recipe
from cavmae_sync.recipes.reporter import Reporter
from cavmae_sync.recipes.stage_twin import FRAME_PIXELS, NUM_CLIPS, NUM_EPOCHS, stage_twin
from cavmae_sync.recipes.tables.cells import MeasuredModel, headings, lacking, measure, stored_cells
from cavmae_sync.recipes.tables.datasets import (
    TableDatasets,
    make_stage_datasets,
    stage_datasets,
)
from cavmae_sync.recipes.tables.paper_tables import Row, TableSpec, Task, Training
from cavmae_sync.training import Callbacks, PretrainConfig
from cavmae_sync.untrusted import read_json
from cavmae_sync.weights import load_model

_SETTINGS: Final = "reproduce.json"


class ReproduceConfig(Config):
    """Settings of all rows of a table; stored, so that all cells of a folder have the same ones."""

    scale: Scale = "stage"
    """"stage": generated clips and small models on two cores; "full": the published sizes on given data."""
    num_train_clips: int = Field(NUM_CLIPS, gt=0)
    """Generated clips to learn from (scale "stage")."""
    num_test_clips: int = Field(300, gt=0)
    """Generated clips to measure with; they show other objects (scale "stage")."""
    num_epochs: int = Field(NUM_EPOCHS, gt=0)
    """Passes over the generated clips in each training (scale "stage")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Cell of a table.

    Attributes:
        by_seed: Measured fraction for each seed.
        reason: Reason why there is none.
    """

    by_seed: Mapping[int, float] = field(default_factory=dict)
    reason: str = "not run"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableResult:
    """Table with the cells that were measured so far.

    Attributes:
        table: The table of the paper.
        config: Settings of the rows.
        columns: Headings of measured cells.
        cells: By row and heading.
    """

    table: TableSpec
    config: ReproduceConfig
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    @property
    def is_complete(self) -> bool:
        """Whether every cell has a number."""
        return all(cell.by_seed for cell in self.cells.values())


class TableRun:
    """Trainings and measurements of one table.

    Args:
        table: The table of the paper.
        out: Folder of everything; other tables may share it.
        config: Settings of all rows; must equal the stored ones if `out` holds a table.
        seeds: Seeds of training; each row is trained once for each.
        given: Datasets of scale "full"; None for "stage", which makes its own.
        reporter: Callbacks.
        num_processes: Trainings side by side, each on one thread in a process of its own; 1 trains one after
            the other in this process, None takes as many as there are cores and memory for.

    Raises:
        ConfigError: `out` was made with other settings, or datasets are missing or given without need.
    """

    def __init__(
        self,
        table: TableSpec,
        out: Path,
        *,
        config: ReproduceConfig,
        seeds: Sequence[int],
        given: TableDatasets | None = None,
        reporter: Reporter | None = None,
        num_processes: int | None = 1,
    ) -> None:
        if (given is None) != (config.scale == "stage"):
            raise ConfigError(
                'Scale "full" needs datasets (--train, --gallery, ...); scale "stage" makes its own.'
            )
        self.table, self.out, self.config, self.seeds = table, out, config, tuple(seeds)
        self.reporter, self.num_processes = reporter or Reporter(), num_processes
        self.datasets = given or stage_datasets(out / "materials", frame_counts=_frame_counts(table))
        self.makes_clips = given is None
        self._trained: dict[tuple[Training, int], Path] = {}
        _check_claim(out, config)

    def run(self) -> TableResult:
        """Train and measure what is missing. If asked to stop, it returns the cells measured by then.

        Raises:
            DatasetError: Clips to measure with are among those to learn from.
        """
        if not self.makes_clips:
            self.datasets.check_apart()  # before days of training, not after them
        _claim(self.out, self.config)
        if self.makes_clips:
            make_stage_datasets(
                self.out / "materials",
                self.datasets,
                num_clips={"train": self.config.num_train_clips, "test": self.config.num_test_clips},
                frame_pixels=FRAME_PIXELS,
                on_progress=self.reporter.on_progress,
            )
        if self.num_processes != 1:
            self._train_side_by_side()
        for seed in self.seeds:  # one seed of all rows first: a whole table early
            for row in self.table.rows:
                if not self._fill(row, seed):
                    return self.result()
        return self.result()

    def result(self) -> TableResult:
        """Cells measured so far for the given seeds; nothing is run."""
        columns = {task: headings(task, self.datasets) for task in self.table.tasks}
        return TableResult(
            table=self.table,
            config=self.config,
            columns=tuple(heading for named in columns.values() for heading in named),
            cells={
                (row.name, heading): self._cell(row, task, heading)
                for row in self.table.rows
                for task, named in columns.items()
                for heading in named
            },
        )

    def run_folder(self, training: Training, seed: int) -> Path:
        """Folder of a training."""
        return self.out / "runs" / training.name / f"seed-{seed}"

    def recipe(self, training: Training, seed: int) -> PretrainConfig:
        """Configuration of a training."""
        recipe = find_recipe(training.recipe)
        if self.config.scale == "stage":
            return stage_twin(
                recipe,
                num_clips=self.config.num_train_clips,
                num_epochs=self.config.num_epochs,
                seed=seed,
            )
        return recipe.model_copy(update={"seed": seed})

    def _fill(self, row: Row, seed: int) -> bool:
        """Train and measure one row; returns False if asked to stop."""
        tasks = self._tasks(row)
        if not tasks:
            return True
        weights = self._weights(row.training, seed)
        if weights is None:
            return False
        model = MeasuredModel(
            embedder=Embedder(load_model(weights)),
            folder=self._cells_folder(row.training, seed),
            datasets=self.datasets,
            on_progress=self.reporter.on_progress,
        )
        for task in tasks:
            if self.reporter.should_stop():
                return False
            measure(task, row.measurement, model)
        return True

    def _weights(self, training: Training, seed: int) -> Path | None:
        """Weights of a training, which begins, goes on, or is complete; None if asked to stop."""
        if (training, seed) in self._trained:  # rows that share a model: opening a run takes seconds
            return self._trained[training, seed]
        title = f"pretraining {training.name}, seed {seed}"
        callbacks = Callbacks(
            on_step=lambda report: self.reporter.on_progress(title, report.step, report.num_steps),
            should_stop=self.reporter.should_stop,
        )
        result = begin_or_continue(self._planned(training, seed), callbacks=callbacks)
        if not result.is_complete:
            return None
        self._trained[training, seed] = result.run.weights
        return result.run.weights

    def _planned(self, training: Training, seed: int) -> PlannedRun:
        return PlannedRun(
            config=self.recipe(training, seed),
            data=self.datasets.train[training.num_frames],
            out=self.run_folder(training, seed),
            init=self.datasets.init,
        )

    def _train_side_by_side(self) -> None:
        """Train all models that are missing; `_weights` then finds them complete."""
        trainings = dict.fromkeys(row.training for row in self.table.rows if self._tasks(row))
        planned = [self._planned(training, seed) for seed in self.seeds for training in trainings]
        count = self.num_processes or num_runs_fitting(planned)
        title = f"pretraining, {count} at a time on one thread each"
        run_many(
            planned,
            num_processes=count,
            on_states=lambda states: self.reporter.on_progress(title, *progress(states)),
            should_stop=self.reporter.should_stop,
        )

    def _tasks(self, row: Row) -> list[Task]:
        """Tasks that a row can be measured in, once it is trained; none where it cannot be trained."""
        if row.training.num_frames not in self.datasets.train:
            return []
        return [task for task in self.table.tasks if lacking(task, row.measurement, self.datasets) is None]

    def _cell(self, row: Row, task: Task, heading: str) -> Cell:
        found: dict[int, float] = {}
        for seed in self.seeds:
            cells = stored_cells(self._cells_folder(row.training, seed), task, row.measurement)
            if cells is not None and heading in cells.values:
                found[seed] = cells.values[heading]
        reason = lacking(task, row.measurement, self.datasets)
        if row.training.num_frames not in self.datasets.train:
            reason = f"no training set with {row.training.num_frames} frames a clip"
        return Cell(by_seed=found, reason=reason or "not run")

    def _cells_folder(self, training: Training, seed: int) -> Path:
        return self.out / "cells" / training.name / f"seed-{seed}"


def _frame_counts(table: TableSpec) -> list[int]:
    counts = {row.training.num_frames for row in table.rows}
    return sorted(counts | {row.measurement.num_frames for row in table.rows})


def _claim(out: Path, config: ReproduceConfig) -> None:
    _check_claim(out, config)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / _SETTINGS, config.model_dump_json(indent=2) + "\n")


def _check_claim(out: Path, config: ReproduceConfig) -> None:
    stored = out / _SETTINGS
    if stored.exists():
        known = read_json(stored, ReproduceConfig, remedy="Use another --out.")
        if known != config:
            raise ConfigError(
                f"{out} was made with other settings ({known.model_dump_json()}). Use the same ones, or "
                "another --out."
            )

"""Reproduction of a table: trains and measures what is missing, and collects the cells.

    OUT/reproduce.json                       settings; a later command with other settings is refused
    OUT/materials/                           generated clips and datasets, shared by all (scale "stage")
    OUT/runs/RECIPE-16-frames/seed-0/        a pretraining run, shared by all tables that need it
    OUT/cells/RECIPE-16-frames/seed-0/*.json its measurements
    OUT/step_seconds.json                    times of steps, for a budget of "compute"
    OUT/table6.json, .md, .png               the table

Whatever is complete is used again: a run that was stopped goes on, and seeds and rows can run in several
processes, and on different machines, over one folder. What two of them need, one makes; the other waits.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import torch

from cavmae_sync.atomic import locked
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.many_runs import (
    PlannedRun,
    begin_or_continue,
    num_runs_fitting,
    progress,
)
from cavmae_sync.recipes.pretraining import find_recipe
from cavmae_sync.recipes.reporter import Reporter
from cavmae_sync.recipes.stage_twin import FRAME_PIXELS, stage_twin
from cavmae_sync.recipes.tables.budget import (
    measured_step_seconds,
    num_epoch_steps,
    step_flops,
    with_budget,
)
from cavmae_sync.recipes.tables.cells import MeasuredModel, headings, lacking, measure, stored_cells
from cavmae_sync.recipes.tables.controls import with_controls
from cavmae_sync.recipes.tables.datasets import (
    GeneratedList,
    TableDatasets,
    generated_lists,
    make_generated_lists,
    stage_datasets,
)
from cavmae_sync.recipes.tables.paper_tables import TABLES
from cavmae_sync.recipes.tables.table_result import Cell, Cost, ReproduceConfig, TableResult
from cavmae_sync.recipes.tables.table_spec import Row, TableSpec, Task, Training
from cavmae_sync.training import Callbacks, PretrainConfig, RunFolder
from cavmae_sync.weights import load_model
from cavmae_sync.work.side_by_side import JobLink, run_side_by_side

#: Start of the title of a training's progress.
_PRETRAINING: Final = "pretraining"


class TableRun:
    """Trainings and measurements of one table.

    Args:
        table: The table of the paper.
        out: Folder of everything; other tables may share it.
        config: Settings of all rows; must equal the stored ones if `out` holds a table.
        seeds: Seeds of training; each row is trained once for each.
        given: Datasets of scale "full"; None for "stage", which makes its own.
        reporter: Callbacks.
        num_processes: Models that are trained and measured side by side, each on one thread in a process of
            its own; 1 takes one after the other in this process, None as many as there are cores and memory
            for.
        has_controls: Whether generated clips are also measured by untrained models, in rows of their own.

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
        has_controls: bool = True,
    ) -> None:
        if (given is None) != (config.scale == "stage"):
            raise ConfigError(
                'Scale "full" needs datasets (--train, --gallery, ...); scale "stage" makes its own.'
            )
        self.table = with_controls(table) if given is None and has_controls else table
        self.out, self.config, self.seeds = out, config, tuple(seeds)
        self.reporter, self.num_processes = reporter or Reporter(), num_processes
        self.datasets = given or stage_datasets(out / "materials", frame_counts=_frame_counts(table))
        self.makes_clips = given is None
        self._trained: dict[tuple[Training, int], Path] = {}
        self._newest: tuple[tuple[Training, int], MeasuredModel] | None = None
        self._measured: Mapping[str, float] | None = None
        config.check_folder(out)

    def run(self) -> TableResult:
        """Train and measure what is missing. If asked to stop, it returns the cells measured by then.

        Raises:
            DatasetError: Clips to measure with are among those to learn from.
        """
        if not self.makes_clips:
            self.datasets.check_apart()  # before days of training, not after them
        self.config.claim_folder(self.out)
        if self.makes_clips:
            make_generated_lists(
                self.generated_lists(), self.out / "materials", on_progress=self.reporter.on_progress
            )
        if self.num_processes != 1:
            self._fill_side_by_side()
            return self.result()
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
            costs={
                row.name: cost
                for row in self.table.rows
                if not row.training.is_untrained and (cost := self._cost(row.training)) is not None
            },
        )

    def _cost(self, training: Training) -> Cost | None:
        """Cost of a training's finished runs, or None."""
        finished = {
            seed: folder
            for seed in self.seeds
            if (folder := RunFolder(self.run_folder(training, seed))).weights.exists()
        }
        if not finished or self.config.scale == "full":
            return None
        recipe = self.recipe(training, self.seeds[0])
        num_steps = recipe.loop.num_steps or num_epoch_steps(recipe, num_clips=self.config.num_train_clips)
        return Cost(
            num_steps=num_steps,
            operations=num_steps * step_flops(recipe),
            processor_seconds={
                seed: seconds
                for seed, run in finished.items()
                if (seconds := run.environment().get("processor_seconds")) is not None
            },
        )

    def run_folder(self, training: Training, seed: int) -> Path:
        """Folder of a training."""
        return self.out / "runs" / training.name / f"seed-{seed}"

    def recipe(self, training: Training, seed: int) -> PretrainConfig:
        """Configuration of a training."""
        if self.config.scale == "stage":
            return self._within_budget(self._twin(training, seed))
        return _with_segment(training, find_recipe(training.recipe)).model_copy(update={"seed": seed})

    def _twin(self, training: Training, seed: int) -> PretrainConfig:
        twin = stage_twin(
            find_recipe(training.recipe),
            num_clips=self.config.num_train_clips,
            num_epochs=self.config.num_epochs,
            seed=seed,
        )
        loop = twin.loop.model_copy(update={"precision": self.config.precision})
        return _with_segment(training, twin).model_copy(update={"loop": loop})

    def _within_budget(self, twin: PretrainConfig) -> PretrainConfig:
        if self.config.budget == "epochs":
            return twin
        return with_budget(
            twin,
            self._twin(Training(), twin.seed),
            num_clips=self.config.num_train_clips,
            costs=[step_flops, self._step_seconds],
        )

    def _step_seconds(self, twin: PretrainConfig) -> float:
        """Processor time of a step of a twin. Those of all tables are measured together, once for OUT."""
        if self._measured is None:
            trainings = {row.training for table in TABLES.values() for row in table.rows}
            twins = [self._twin(training, 0) for training in sorted(trainings, key=lambda each: each.name)]
            self._measured = measured_step_seconds(
                {each.name: each for each in twins},
                self.out,
                on_progress=lambda done, total: self.reporter.on_progress("timing steps", done, total),
            )
        if twin.name not in self._measured:
            raise ConfigError(f"{self.out} was begun without {twin.name}. Use another --out.")
        return self._measured[twin.name]

    def generated_lists(self) -> list[GeneratedList]:
        """Lists of generated clips that the table needs (scale "stage")."""
        return generated_lists(
            self.out / "materials",
            self.datasets,
            num_clips={"train": self.config.num_train_clips, "test": self.config.num_test_clips},
            variant=self.config.variant,
            test_objects=self.config.test_objects,
            pack=self.config.pack,
            frame_pixels=FRAME_PIXELS,
            with_probe=any(task in self.table.tasks for task in ("probing", "states")),
        )

    def _fill(self, row: Row, seed: int) -> bool:
        """Train and measure one row; returns False if asked to stop."""
        tasks = self._tasks(row)
        if not tasks:
            return True
        waits = partial(self.reporter.on_progress, f"waiting for another process: {row.training.name}", 0, 1)
        # Rows share models, also with rows of other tables, which other processes may fill now.
        with locked(self._cells_folder(row.training, seed) / "writer.lock", on_wait=waits):
            model = self._measured_model(row.training, seed)
            if model is None:
                return False
            for task in tasks:
                if self.reporter.should_stop():
                    return False
                measure(task, row.measurement, model)
        return True

    def _measured_model(self, training: Training, seed: int) -> MeasuredModel | None:
        """Model of a training, kept for the next rows; None if asked to stop."""
        if self._newest is None or self._newest[0] != (training, seed):
            trained = self._model(training, seed)
            if trained is None:
                return None
            model = MeasuredModel(
                embedder=Embedder(trained),
                folder=self._cells_folder(training, seed),
                datasets=self.datasets,
                on_progress=self.reporter.on_progress,
            )
            self._newest = ((training, seed), model)
        return self._newest[1]

    def _model(self, training: Training, seed: int) -> CAVMAESync | None:
        """Model of a training; None if asked to stop."""
        if training.is_untrained:  # as the run of this seed begins
            generator = torch.Generator().manual_seed(seed)
            return CAVMAESync(self.recipe(training, seed).model, generator=generator).eval()
        weights = self._weights(training, seed)
        return None if weights is None else load_model(weights)

    def _weights(self, training: Training, seed: int) -> Path | None:
        """Weights of a training, which begins, goes on, or is complete; None if asked to stop."""
        if (training, seed) in self._trained:  # rows that share a model: opening a run takes seconds
            return self._trained[training, seed]
        title = f"{_PRETRAINING} {training.name}, seed {seed}"
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

    def _fill_side_by_side(self) -> None:
        """Train and measure all models that are missing, each in a process of its own."""
        trainings = dict.fromkeys(row.training for row in self.table.rows if self._tasks(row))
        planned = [self._planned(each, self.seeds[0]) for each in trainings if not each.is_untrained]
        count = self.num_processes or num_runs_fitting(planned)
        title = f"pretraining and measuring, {count} at a time on one thread each"
        run_side_by_side(
            _fill_part,
            [
                (f"{training.name} {seed}", self._part(training, seed))
                for seed in self.seeds
                for training in trainings
            ],
            num_processes=count,
            on_states=lambda states: self.reporter.on_progress(title, *progress(states)),
            should_stop=self.reporter.should_stop,
        )

    def _part(self, training: Training, seed: int) -> "_Part":
        rows = [row for row in self.table.rows if row.training == training]
        return _Part(
            table=replace(self.table, rows=rows),
            out=self.out,
            config=self.config,
            seed=seed,
            given=None if self.makes_clips else self.datasets,
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Rows of a table that share a model, for one seed."""

    table: TableSpec
    out: Path
    config: ReproduceConfig
    seed: int
    given: TableDatasets | None


def _fill_part(part: _Part, link: JobLink) -> None:
    """Train and measure one model, in its own process."""

    def tell(title: str, done: int, total: int) -> None:
        if title.startswith(_PRETRAINING):  # measuring is not counted in steps
            link.tell(done, total)
        elif link.should_stop():
            raise _StopsNow

    table_run = TableRun(
        part.table,
        part.out,
        config=part.config,
        seeds=[part.seed],
        given=part.given,
        reporter=Reporter(on_progress=tell, should_stop=link.should_stop),
        has_controls=False,
    )
    with suppress(_StopsNow):
        for row in part.table.rows:
            if not table_run._fill(row, part.seed):
                return


class _StopsNow(Exception):  # noqa: N818 -- no error
    """A stop that was asked for while nothing was trained, which would save first."""


def _with_segment(training: Training, recipe: PretrainConfig) -> PretrainConfig:
    """The recipe with the training's own length of segments, if it has one."""
    if training.segment_length is None:
        return recipe
    named = recipe.model_copy(update={"name": f"{recipe.name}_{training.segment_length}"})
    return named.with_overrides([f"model.inputs.segment_length={training.segment_length}"])


def _frame_counts(table: TableSpec) -> list[int]:
    counts = {row.training.num_frames for row in table.rows}
    return sorted(counts | {row.measurement.num_frames for row in table.rows})

"""Plan of a table: the shell commands that running it stands for. Each may be run on another machine.

Lines that begin with `#` say what exists already. `reproduce` uses the results of these commands.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

from cavmae_sync.config import override_words
from cavmae_sync.data import PrepareConfig
from cavmae_sync.data.storage.tables import DATASET_FILE
from cavmae_sync.recipes.generated_clips import is_generated, prepare_config, stage_folder
from cavmae_sync.recipes.pretraining import find_recipe
from cavmae_sync.recipes.stage_twin import FRAME_PIXELS, TWIN_PREFIX
from cavmae_sync.recipes.tables.reproduce import TableRun
from cavmae_sync.recipes.tables.table_spec import Training
from cavmae_sync.stage import StageConfig


def plan(table_run: TableRun) -> Iterator[str]:
    """Commands that `TableRun.run` stands for, in its order, except for measuring."""
    if table_run.makes_clips:
        yield from _clips(table_run)
    trainings = dict.fromkeys(row.training for row in table_run.table.rows)
    for training in [each for each in trainings if not each.is_untrained]:
        for seed in table_run.seeds:
            yield from _training(table_run, training, seed)


def _clips(table_run: TableRun) -> Iterator[str]:
    for made in table_run.generated_lists():
        stage = stage_folder(made.folder, made.split)
        done = is_generated(stage, num_clips=made.num_clips)
        yield f"# {made.num_clips} generated clips, {made.split}: {f'in {stage}' if done else 'to do'}"
        if not done:
            pack = () if made.pack is None else ("--pack", made.pack)
            words = override_words(StageConfig(), made.config)
            yield _command("stage", stage, "--num-clips", made.num_clips, *pack, *words)
        for num_frames, data in made.prepared.items():
            done = (data / DATASET_FILE).exists()
            yield f"# the same prepared with {num_frames} frames: {f'in {data}' if done else 'to do'}"
            if not done:
                words = override_words(PrepareConfig(), prepare_config(FRAME_PIXELS, num_frames=num_frames))
                labels = stage / "labels.csv"
                yield _command("prepare", stage / "clips", "--out", data, "--labels", labels, *words)


def _training(table_run: TableRun, training: Training, seed: int) -> Iterator[str]:
    folder, recipe = table_run.run_folder(training, seed), table_run.recipe(training, seed)
    about = f"# {training.name}, seed {seed}"
    data, init = table_run.datasets.train.get(training.num_frames), table_run.datasets.init
    if (folder / "weights.safetensors").exists():
        yield f"{about}: has weights, {folder}"
    elif data is None:
        yield f"{about}: no training set with {training.num_frames} frames a clip"
    elif (folder / "config.json").exists():
        yield f"{about}: begun, {folder}"
        yield _command("pretrain", "--resume", folder)
    else:
        yield f"{about}: to do"
        prefix = TWIN_PREFIX if table_run.makes_clips else ""
        name = f"{prefix}{training.recipe}"
        words = override_words(find_recipe(name), recipe)
        start = () if init is None else ("--init", init)
        command = _command("pretrain", name, *words, "--data", data, "--out", folder, *start)
        if table_run.makes_clips:
            yield command
        else:  # of the published size: eight devices, as published; set the number of yours
            yield command.replace("cavmae-sync", "torchrun --nproc-per-node 8 -m cavmae_sync", 1)


def _command(*words: str | int | Path) -> str:
    return shlex.join(["cavmae-sync", *map(str, words)])

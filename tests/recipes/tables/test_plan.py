"""The plan of a table is commands that can be pasted, and mean what `reproduce` itself would do."""

import shlex
from pathlib import Path

from cavmae_sync.config import override_words
from cavmae_sync.data import PrepareConfig
from cavmae_sync.recipes.generated_clips import prepare_config, stage_config
from cavmae_sync.recipes.pretraining import RECIPES, find_recipe
from cavmae_sync.recipes.stage_twin import FRAME_PIXELS, stage_twin
from cavmae_sync.recipes.tables.datasets import TableDatasets
from cavmae_sync.recipes.tables.paper_tables import TABLES, find_table
from cavmae_sync.recipes.tables.plan import plan
from cavmae_sync.recipes.tables.reproduce import TableRun
from cavmae_sync.recipes.tables.table_result import ReproduceConfig
from cavmae_sync.stage import StageConfig


def commands(table_run: TableRun) -> list[list[str]]:
    return [shlex.split(line) for line in plan(table_run) if not line.startswith("#")]


def test_words_give_back_a_twin_of_another_size():
    for name in sorted(RECIPES):
        twin = stage_twin(find_recipe(name), num_clips=20, num_epochs=2, seed=5)
        base = find_recipe(f"stage_{name}")
        words = override_words(base, twin)
        assert base.with_overrides(words) == twin
        assert "seed=5" in words


def test_every_training_has_a_command_that_is_this_training(tmp_path: Path):
    for table in sorted(TABLES):
        config = ReproduceConfig(num_epochs=2, num_train_clips=20, num_test_clips=10)
        table_run = TableRun(find_table(table), tmp_path / "a folder", config=config, seeds=[3])
        trainings = [words for words in commands(table_run) if words[1] == "pretrain"]
        for training in dict.fromkeys(
            row.training for row in table_run.table.rows if not row.training.is_untrained
        ):
            words = trainings.pop(0)
            overrides = [word for word in words[3:] if "=" in word and not word.startswith("-")]
            assert find_recipe(words[2]).with_overrides(overrides) == table_run.recipe(training, 3)
            assert words[words.index("--out") + 1] == str(table_run.run_folder(training, 3))
        assert trainings == [], table


def test_clips_come_first_and_are_those_that_reproduce_makes(tmp_path: Path):
    table_run = TableRun(
        find_table("table7"), tmp_path, config=ReproduceConfig(num_train_clips=20), seeds=[0]
    )
    made = commands(table_run)
    two_lists = ["stage", "prepare", "stage", "prepare"]  # and two more for a probe
    assert [words[1] for words in made] == [*two_lists, *two_lists, "pretrain", "pretrain"]
    stage, prepare = made[:2]
    assert stage[2:5] == [str(tmp_path / "materials" / "stage-train"), "--num-clips", "20"]
    of_training = stage_config("train", frame_pixels=FRAME_PIXELS, variant="bind")
    assert StageConfig().with_overrides(stage[5:]) == of_training
    of_probe = stage_config("train", frame_pixels=FRAME_PIXELS, seed=1, variant="easy")
    assert StageConfig().with_overrides(made[4][5:]) == of_probe
    overrides = [word for word in prepare[3:] if "=" in word]
    assert PrepareConfig().with_overrides(overrides) == prepare_config(FRAME_PIXELS)


def test_what_is_there_is_told_and_not_done_again(tmp_path: Path):
    table_run = TableRun(find_table("table7"), tmp_path, config=ReproduceConfig(), seeds=[0])
    first, second, *controls = dict.fromkeys(row.training for row in table_run.table.rows)
    assert all(control.is_untrained for control in controls)  # and need no command
    for training, file in ((first, "weights.safetensors"), (second, "config.json")):
        folder = table_run.run_folder(training, 0)
        folder.mkdir(parents=True)
        (folder / file).touch()
    assert f"# {first.name}, seed 0: has weights, {table_run.run_folder(first, 0)}" in list(plan(table_run))
    assert commands(table_run)[-1] == [
        "cavmae-sync",
        "pretrain",
        "--resume",
        str(table_run.run_folder(second, 0)),
    ]


def test_of_the_published_size_each_training_is_for_several_devices(tmp_path: Path):
    given = TableDatasets(train={16: tmp_path / "train"}, galleries={}, probing={}, init=tmp_path / "mae.pth")
    table_run = TableRun(
        find_table("table7"), tmp_path, config=ReproduceConfig(scale="full"), seeds=[1], given=given
    )
    last = commands(table_run)[-1]
    assert last[:6] == ["torchrun", "--nproc-per-node", "8", "-m", "cavmae_sync", "pretrain"]
    assert last[6:8] == ["sync_base", "seed=1"]
    assert last[-2:] == ["--init", str(tmp_path / "mae.pth")]


def test_clips_of_a_pack_with_known_objects_are_other_clips(tmp_path: Path):
    config = ReproduceConfig(
        num_train_clips=20, num_test_clips=20, pack=tmp_path / "pack", test_objects="known"
    )
    table_run = TableRun(find_table("windows"), tmp_path, config=config, seeds=[0])
    train, _, test, _ = [words for words in commands(table_run) if words[1] in ("stage", "prepare")]
    for words in (train, test):
        assert words[5:7] == ["--pack", str(tmp_path / "pack")]
    of_train, of_test = (StageConfig().with_overrides(words[7:]) for words in (train, test))
    assert (of_train.split, of_test.split) == ("train", "train")
    assert of_train.seed != of_test.seed

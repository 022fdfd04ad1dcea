"""The grids of the paper's tables: rows that can be run, numbers that some source prints."""

from pathlib import Path

import pytest

from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.pretraining import RECIPES, find_recipe
from cavmae_sync.recipes.tables.datasets import TableDatasets
from cavmae_sync.recipes.tables.paper_tables import TABLES, find_table
from cavmae_sync.recipes.tables.reproduce import TableRun
from cavmae_sync.recipes.tables.table_result import ReproduceConfig
from cavmae_sync.tasks.classification.features import FeatureConfig


def test_every_row_can_be_trained_and_every_published_cell_has_a_column():
    for name in TABLES:
        table = TABLES[name]
        assert len({row.name for row in table.rows}) == len(table.rows), name
        for row in table.rows:
            assert row.training.recipe in RECIPES, name
            assert set(row.published) <= set(table.published_columns), name
            assert all(0 < value < 100 for value in row.published.values())


def test_every_model_that_is_probed_has_the_tokens_that_its_probe_reads():
    for name in [name for name, table in TABLES.items() if "probing" in table.tasks]:
        for row in TABLES[name].rows:
            model = find_recipe(row.training.recipe).model
            features = FeatureConfig(tokens=row.measurement.tokens, modalities=row.measurement.modalities)
            assert features.width(model) == 768 * len(features.parts), (name, row.name)


@pytest.mark.parametrize(
    ("table", "row", "heading", "percent"),
    [
        ("table1", "Ours", "AS R@1", 35.2),
        ("table1", "CAV-MAE", "VGG R@10", 45.9),
        ("table2", "Ours", "VGG accuracy", 52.7),
        ("table4", "Scale+", "AS R@5", 39.5),
        ("table6", "16", "VGG R@10", 64.0),
        ("table6", "0", "AS R@1", 35.5),
        ("table7", "with", "mIoU", 22.8),
        ("table8", "0.6", "VGG R@1", 28.6),
        ("table12", "8 registers, registers", "AS20k mAP", 17.8),
    ],
)
def test_published_numbers(table: str, row: str, heading: str, percent: float):
    found = {each.name: each.published for each in TABLES[table].rows}
    assert found[row][heading] == percent


@pytest.mark.parametrize(
    ("table", "row", "heading"),
    [("table6", "4", "AS R@1"), ("table7", "without", "AS R@1"), ("table8", "0.9", "mIoU")],
)
def test_cells_that_no_source_prints_stay_empty(table: str, row: str, heading: str):
    found = {each.name: each.published for each in TABLES[table].rows}
    assert heading not in found[row]


def test_the_ladder_of_table_4_climbs_one_step_at_a_time():
    rows = {row.name: row for row in TABLES["table4"].rows}
    batches = [find_recipe(row.training.recipe).loop.batch_size for row in rows.values()]
    assert batches == [48, 120, 256, 256, 512, 512]
    assert [row.training.num_frames for row in rows.values()] == [10, 10, 10, 16, 16, 16]
    assert [row.measurement.only_frame for row in rows.values()] == [5, 5, 5, None, None, None]


def test_table_2_probes_the_patches_of_the_whole_ladder():
    rows = {row.name: row for row in TABLES["table2"].rows}
    assert list(rows) == ["CAV-MAE", "CAV-MAE Scale+", "CAV-MAE Scale++", "CAV-MAE Scale+++", "Ours"]
    assert [row.training.recipe for row in rows.values()] == [
        "cavmae_base", "cavmae_scale_plus", "cavmae_scale_plus_plus", "cavmae_scale_plus_plus_plus",
        "sync_base",
    ]  # fmt: skip
    assert [row.training.num_frames for row in rows.values()] == [10, 10, 10, 16, 16]
    assert [row.measurement.num_frames for row in rows.values()] == [10, 10, 10, 16, 16]
    assert [row.measurement.tokens for row in rows.values()] == [*["patch_mean"] * 4, "global"]
    assert [dict(row.published) for row in rows.values()][:4] == [{}] * 4


def test_figure_4_varies_nothing_but_the_length():
    lengths = []
    for row in TABLES["figure4"].rows:
        config = find_recipe(row.training.recipe)
        lengths.append(config.model.inputs.segment_length)
        same = config.model.inputs.model_copy(update={"segment_length": 416})
        model = config.model.model_copy(update={"inputs": same})
        assert config.model_copy(update={"name": "sync_base", "model": model}) == find_recipe("sync_base")
    assert lengths == [96, 192, 304, 416, 512, 624, 720, 816, 912, 1024]


def test_windows_are_as_long_as_they_are_called_at_every_scale(tmp_path: Path):
    table = find_table("windows")
    given = TableDatasets(train={16: tmp_path})
    full = TableRun(table, tmp_path / "full", config=ReproduceConfig(scale="full"), seeds=[0], given=given)
    stage = TableRun(table, tmp_path / "stage", config=ReproduceConfig(), seeds=[0], has_controls=False)
    for run in (full, stage):
        recipes = [run.recipe(row.training, 0) for row in run.table.rows]
        assert [recipe.model.inputs.segment_length for recipe in recipes] == [48, 208, 416]
        assert len({recipe.name for recipe in recipes}) == 3
        assert len({run.run_folder(row.training, 0) for row in run.table.rows}) == 3


def test_rows_can_be_picked():
    assert [row.name for row in find_table("table6", rows=["0", "16"]).rows] == ["0", "16"]


@pytest.mark.parametrize(
    ("name", "rows", "says"),
    [
        ("table9", [], "There is no table 'table9'.*table8"),
        ("table6", ["5"], "no row of table6 '5'. There are: 0, 4, 8, 16"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(name: str, rows: list[str], says: str):
    with pytest.raises(ConfigError, match=says):
        find_table(name, rows=rows)

"""A table_run runs, stops, continues and is measured once; the smallest clips and one step of training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cavmae_sync.atomic import locked
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, DatasetError, TrainingError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.reporter import Reporter
from cavmae_sync.recipes.tables.cells import Cells, MeasuredModel, lacking, measure
from cavmae_sync.recipes.tables.datasets import ProbingLists, TableDatasets
from cavmae_sync.recipes.tables.paper_tables import TABLES, Measurement, find_table
from cavmae_sync.recipes.tables.reproduce import TableRun
from cavmae_sync.recipes.tables.table_result import Cell, ReproduceConfig, TableResult
from cavmae_sync.recipes.tables.text import to_dict, to_figure, to_markdown
from cavmae_sync.tasks.retrieval import RetrievalConfig, evaluate_retrieval, retrieval_report
from cavmae_sync.weights import load_model

TINY = ReproduceConfig(num_train_clips=4, num_test_clips=4, num_epochs=1)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def aggregations(out: Path) -> TableResult:
    """Table 11: one training, measured in four ways."""
    return TableRun(find_table("table11"), out, config=TINY, seeds=[0]).run()


def test_all_rows_of_one_model_share_its_training(aggregations: TableResult, out: Path):
    assert aggregations.is_complete
    assert [folder.name for folder in (out / "runs").iterdir()] == ["sync_base-16-frames"]


def test_waits_while_another_process_makes_the_clips(tmp_path: Path):
    """Two that begin together share clips: neither may remove what the other is writing."""

    def stop(title: str, _done: int, _total: int) -> None:
        assert "waiting for another process" in title
        raise KeyboardInterrupt

    waiting = TableRun(
        find_table("table11"), tmp_path, config=TINY, seeds=[0], reporter=Reporter(on_progress=stop)
    )
    with locked(tmp_path / "materials" / "writer.lock"), pytest.raises(KeyboardInterrupt):
        waiting.run()
    assert [path.name for path in (tmp_path / "materials").iterdir()] == ["writer.lock"]


def test_waits_while_another_process_fills_the_same_model(
    aggregations: TableResult, out: Path, tmp_path: Path
):
    """Rows of several tables share it: one would remove the probe that the other is training."""
    shutil.copytree(out, tmp_path / "copy")
    (cell,) = (tmp_path / "copy" / "cells" / "sync_base-16-frames" / "seed-0").glob("*-block_max.json")
    cell.unlink()
    titles: list[str] = []

    def stop(title: str, _done: int, _total: int) -> None:
        titles.append(title)
        if title.startswith("waiting"):
            raise KeyboardInterrupt

    waiting = TableRun(
        aggregations.table, tmp_path / "copy", config=TINY, seeds=[0], reporter=Reporter(on_progress=stop)
    )
    with locked(cell.parent / "writer.lock"), pytest.raises(KeyboardInterrupt):
        waiting.run()
    assert titles[-1] == "waiting for another process: sync_base-16-frames"
    assert not cell.exists()
    assert waiting.run().cells.keys() == aggregations.cells.keys()
    assert cell.exists()


@pytest.fixture(scope="module")
def embedder(aggregations: TableResult, out: Path) -> Embedder:
    return Embedder(load_model(out / "runs/sync_base-16-frames/seed-0/weights.safetensors"))


def test_cells_are_what_retrieval_gives_by_itself(aggregations: TableResult, embedder: Embedder, out: Path):
    clips = PreparedDataset.open(out / "materials" / "data-test-16-frames")
    untrained = CAVMAESync(embedder.model.config, generator=torch.Generator().manual_seed(0)).eval()
    embeddings, of_untrained = (
        evaluate_retrieval(each, clips, RetrievalConfig(num_bootstrap=0)).embeddings
        for each in (embedder, Embedder(untrained))
    )
    for row in aggregations.table.rows:
        config = RetrievalConfig(aggregation=row.measurement.aggregation, num_bootstrap=0)
        report = retrieval_report(of_untrained if row.training.is_untrained else embeddings, config)
        for k in (1, 5, 10):
            expected = report.metrics[f"visual_to_audio/recall_at_{k}"].value
            assert aggregations.cells[row.name, f"stage R@{k}"].by_seed == {0: expected}


@pytest.mark.long
def test_trainings_side_by_side_fill_the_same_table(aggregations: TableResult, out: Path, tmp_path: Path):
    """Tests compute on one thread too, so the trainings are the same bit for bit."""
    shutil.copytree(out / "materials", tmp_path / "materials")
    titles: set[str] = set()
    result = TableRun(
        find_table("table11"),
        tmp_path,
        config=TINY,
        seeds=[0, 1],
        reporter=Reporter(on_progress=lambda title, *_: titles.add(title)),
        num_processes=2,
    ).run()
    assert "pretraining and measuring, 2 at a time on one thread each" in titles
    assert "pretraining sync_base-16-frames, seed 0" not in titles  # it was complete
    for place, cell in aggregations.cells.items():
        assert result.cells[place].by_seed[0] == cell.by_seed[0]
        assert set(result.cells[place].by_seed) == {0, 1}


def test_what_is_complete_is_not_run_again(aggregations: TableResult, out: Path):
    seen: list[str] = []
    reporter = Reporter(on_progress=lambda title, *_: seen.append(title))
    again = TableRun(find_table("table11"), out, config=TINY, seeds=[0], reporter=reporter).run()
    assert again.cells == aggregations.cells
    assert not [title for title in seen if title.startswith(("pretraining", "embedding"))]


def test_a_table_can_be_shown_before_it_is_complete(aggregations: TableResult, out: Path):
    result = TableRun(find_table("table7"), out, config=TINY, seeds=[0]).result()
    assert not result.is_complete
    assert result.cells["without", "stage R@1"] == Cell(reason="not run")
    assert "| without | not run |" in to_markdown(result)


def test_asked_to_stop_it_keeps_what_it_has_and_goes_on_later(aggregations: TableResult, out: Path):
    table = find_table("table6", rows=["0"])
    table = replace(table, tasks=("retrieval",))
    stopped = TableRun(table, out, config=TINY, seeds=[0], reporter=Reporter(should_stop=lambda: True)).run()
    assert not stopped.is_complete
    assert TableRun(table, out, config=TINY, seeds=[0]).run().is_complete


def test_states_have_those_of_equal_parts_and_of_loudness_beside_them(aggregations: TableResult, out: Path):
    """On clips of `easy`: on those of `bind` something else sounds in nearly every frame."""
    result = TableRun(find_table("figure6"), out, config=TINY, seeds=[0]).run()
    assert result.is_complete
    assert stage_variant(out / "materials" / "probe" / "stage-test") == "easy"
    model, parts, loud = (
        result.cells["Ours", f"states F1{control}"].by_seed[0]
        for control in ("", ", equal parts", ", loudness")
    )
    assert all(0 < value <= 1 for value in (model, parts, loud))
    untrained = result.cells["untrained", "states F1, loudness"].by_seed[0]
    assert untrained == loud, "what needs no model does not depend on one"
    given = TableDatasets(train={16: out / "materials" / "data-train-16-frames"})
    assert lacking("states", Measurement(), given) == "no clips whose states are known"


def stage_variant(folder: Path) -> str:
    return json.loads((folder / "stage.json").read_text())["config"]["variant"]


def test_cells_are_measured_again_on_other_datasets(
    aggregations: TableResult, embedder: Embedder, out: Path, tmp_path: Path
):
    first, second = ({16: out / "materials" / f"data-{split}-16-frames"} for split in ("test", "train"))

    def cells(**galleries: dict[int, Path]) -> Cells:
        model = MeasuredModel(
            embedder=embedder,
            folder=tmp_path,
            datasets=TableDatasets(train=first, galleries=galleries),
            on_progress=lambda *_: None,
        )
        return measure("retrieval", Measurement(), model)

    def lists(found: Cells) -> dict[str, str]:
        return {name: report["clip_list"] for name, report in found.report.items()}

    assert list(cells(AS=first).values) == ["AS R@1", "AS R@5", "AS R@10"]
    both = cells(AS=first, VGG=second)
    assert list(lists(both)) == ["AS", "VGG"]
    assert lists(both)["AS"] != lists(both)["VGG"]
    assert lists(cells(AS=second))["AS"] == lists(both)["VGG"]


def test_a_training_set_or_first_weights_that_changed_are_refused(
    aggregations: TableResult, out: Path, tmp_path: Path
):
    shutil.copytree(out / "runs", tmp_path / "runs")
    datasets = replace(
        TableRun(find_table("table11"), tmp_path, config=TINY, seeds=[0]).datasets, galleries={}, probing={}
    )
    test_set = out / "materials" / "data-test-16-frames"
    for changed, says in (
        (replace(datasets, train={16: test_set}), "other clips than the run began with"),
        (replace(datasets, init=tmp_path / "mae.pth"), "began with the weights None"),
    ):
        table_run = TableRun(find_table("table11"), tmp_path, config=TINY, seeds=[0])
        table_run.datasets, table_run.makes_clips = changed, False
        with pytest.raises(TrainingError, match=says):
            table_run.run()


def test_clips_to_learn_from_are_not_measured_on(out: Path, aggregations: TableResult, tmp_path: Path):
    """Before anything is trained: a gallery of training clips, a probe's list in its own test list."""
    train, test = ({16: out / "materials" / f"data-{split}-16-frames"} for split in ("train", "test"))
    for datasets in (
        TableDatasets(train=train, galleries={"AS": train}),
        TableDatasets(train=train, probing={"AS20k": ProbingLists(train=test, test=test)}),
    ):
        table_run = TableRun(
            find_table("table11"), tmp_path, config=ReproduceConfig(scale="full"), seeds=[0], given=datasets
        )
        with pytest.raises(DatasetError, match="are also in"):
            table_run.run()
        assert list(tmp_path.iterdir()) == []
        replace(datasets, allow_overlap=True).check_apart()
    lists = {"AS20k": ProbingLists(train=train, test=test)}
    TableDatasets(train=train, galleries={"AS": test}, probing=lists).check_apart()


def test_other_settings_are_refused(aggregations: TableResult, out: Path):
    with pytest.raises(ConfigError, match="other settings"):
        TableRun(find_table("table11"), out, config=TINY.model_copy(update={"num_epochs": 2}), seeds=[0])


def test_full_scale_needs_data(tmp_path: Path):
    with pytest.raises(ConfigError, match="needs datasets"):
        TableRun(find_table("table11"), tmp_path, config=ReproduceConfig(scale="full"), seeds=[0])


def test_cells_without_datasets_say_what_lacks(tmp_path: Path):
    given = TableDatasets(train={16: tmp_path}, galleries={"AS": {16: tmp_path}})
    table_run = TableRun(
        find_table("table5"), tmp_path, config=ReproduceConfig(scale="full"), seeds=[0], given=given
    )
    cells = table_run.result().cells
    assert cells["10 / 16", "AS R@1"].reason == "no training set with 10 frames a clip"
    assert cells["16 / 10", "AS R@1"].reason == "no gallery AS with 10 frames a clip"
    assert cells["16 / 16", "AS R@1"].reason == "not run"


def with_values(result: TableResult, **rows: dict[int, float]) -> TableResult:
    cells = {(row, "stage R@1"): Cell(by_seed=values) for row, values in rows.items()}
    table = find_table("table7")
    return replace(
        result, table=table, columns=("stage R@1",), cells={**cells, ("without", "stage R@1"): Cell()}
    )


def test_means_and_deviations_by_hand(aggregations: TableResult):
    """10, 20 and 30 %: mean 20, sample deviation 10; Student's t makes 4.303 * 10 / sqrt(3) = 24.8."""
    result = with_values(aggregations, **{"with": {0: 0.1, 1: 0.2, 2: 0.3}})
    text = to_markdown(result)
    assert "| with | 20.0 ± 24.8 | 35.2 | 58.3 |" in text
    assert "| without | not run | · |" in text
    found = to_dict(result)
    json.dumps(found, allow_nan=False)
    measured = {row["name"]: row["measured"]["stage R@1"] for row in found["rows"]}
    assert measured["with"]["mean"] == pytest.approx(0.2)
    assert measured["with"]["deviation"] == pytest.approx(0.1)
    assert measured["without"] == {"reason": "not run"}


def test_one_seed_has_no_deviation(aggregations: TableResult):
    assert "| with | 10.0 | 35.2 |" in to_markdown(with_values(aggregations, **{"with": {0: 0.1}}))


def test_a_table_is_drawn_with_missing_rows(aggregations: TableResult):
    figure = to_figure(with_values(aggregations, **{"with": {0: 0.1, 1: 0.3}}))
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == [" not run"]


def test_no_two_columns_have_one_heading(tmp_path: Path):
    for name in TABLES:
        columns = TableRun(find_table(name), tmp_path, config=TINY, seeds=[0]).result().columns
        assert len(set(columns)) == len(columns) > 0, name

"""Maps that anybody made: the very report of our own, and what strangers' files may hold."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.localization.controls import map_controls, oracle_maps
from cavmae_sync.tasks.localization.evaluate import (
    LocalizationConfig,
    evaluate_localization,
    localization_report,
)
from cavmae_sync.tasks.localization.map_files import read_maps, row_ids
from cavmae_sync.tasks.localization.stage_examples import StageExamples


@pytest.fixture
def examples(prepared: PreparedDataset, stage_folder: Path) -> StageExamples:
    return StageExamples(prepared, StageTruth(stage_folder))


def written(path: Path, examples: StageExamples, maps=None, **changes) -> Path:
    given = torch.stack(list(oracle_maps(examples.targets).maps)).numpy() if maps is None else maps
    arrays = {"maps": given, "ids": np.array(row_ids(examples)), **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_ids_differ(examples: StageExamples):
    ids = row_ids(examples)
    assert len(set(ids)) == len(ids) == len(examples.targets)
    assert ids[0] == f"{examples.targets[0].name}, {examples.targets[0].class_name}"


def test_the_maps_of_a_model_in_a_file_give_its_very_report(embedder: Embedder, examples, tmp_path: Path):
    own = evaluate_localization(embedder, examples, LocalizationConfig(num_bootstrap=20))
    maps = torch.stack(list(own.maps.maps)).numpy()
    order = np.random.default_rng(0).permutation(len(maps))
    ids = np.array(row_ids(examples))
    for path in (
        written(tmp_path / "a.npz", examples, maps),
        written(tmp_path / "b.npz", examples, maps[order], ids=ids[order], name=np.array("ours")),
        written(tmp_path / "c.npz", examples, maps, ids=None),
    ):
        theirs = localization_report(
            read_maps(path, examples), examples, LocalizationConfig(num_bootstrap=20)
        )
        assert theirs.metrics == own.metrics
        assert theirs.clip_list == own.clip_list
        assert theirs.maps.name == ("ours" if path.stem == "b" else path.stem)
    pq.write_table(pa.table({"maps": maps.tolist(), "ids": ids.tolist()}), tmp_path / "d.parquet")
    table = read_maps(tmp_path / "d.parquet", examples)
    assert all(torch.equal(one, other) for one, other in zip(table.maps, own.maps.maps, strict=True))


def test_the_truth_in_a_file_is_perfect_and_its_controls_fall(examples, tmp_path: Path):
    maps = read_maps(written(tmp_path / "a.npz", examples), examples)
    report = localization_report(maps, examples, LocalizationConfig(num_bootstrap=0))
    assert report.metrics["mean_average_precision"].value == 1
    controls = {each.name: each for each in map_controls(examples, maps)}
    assert set(controls) == {
        "oracle", "swapped_map", "mirrored_map", "every_object", "unlike_background", "centre", "constant",
    }  # fmt: skip
    for name in ("swapped_map", "mirrored_map"):
        spoilt = localization_report(controls[name], examples, LocalizationConfig(num_bootstrap=0))
        assert spoilt.metrics["mean_average_precision"].value < 0.9


def test_maps_of_other_questions_are_counted(examples, tmp_path: Path):
    maps = np.random.default_rng(0).random((len(examples.targets) + 2, 3, 5))
    ids = np.array([*row_ids(examples), "x", "y"])
    read = read_maps(written(tmp_path / "a.npz", examples, maps, ids=ids), examples)
    assert read.maps[0].shape == (3, 5)
    report = localization_report(read, examples, LocalizationConfig(num_bootstrap=0))
    assert report.counts["maps_of_other_questions"] == 2


def test_what_is_no_file_of_maps_is_refused(examples, tmp_path: Path):
    count = len(examples.targets)
    maps, ids = np.zeros((count, 4, 4)), np.array(row_ids(examples))
    nan = maps.copy()
    nan[2, 1, 1] = np.nan
    for given, changes, says in (
        (nan, {}, rf"maps of 1 of {count} rows hold NaN.*{ids[2]}"),
        (maps[:, 0], {}, r"must be \[examples, height, width\]"),
        (maps.astype(np.uint8), {}, "must be float16"),
        (maps[:-1], {"ids": None}, f"{count - 1} maps and no ids, but there are {count} examples"),
        (maps[:-1], {"ids": ids[:-1]}, rf"lacks 1 of the {count} ids of examples: {ids[-1]}"),
        (maps, {"ids": np.array(["x", *ids[1:]])}, r"It has 1 other ids: x"),
        (maps, {"ids": ids[:-1]}, "ids for"),
        (maps, {"heat": maps}, "unknown: heat"),
        (np.array([None] * count), {}, "pickles are not loaded"),
    ):
        with pytest.raises(DatasetError, match=says):
            read_maps(written(tmp_path / "a.npz", examples, given, **changes), examples)

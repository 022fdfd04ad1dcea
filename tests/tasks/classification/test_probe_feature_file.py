"""Classifiers on features from a file: the very report of our own, and what strangers' files may hold."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, DatasetError, TrainingError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.tasks.classification.feature_files import open_features
from cavmae_sync.tasks.classification.features import FeatureConfig, embed_features
from cavmae_sync.tasks.classification.probe_feature_file import probe_feature_file, shuffled
from cavmae_sync.tasks.classification.probe_model import probe_model
from cavmae_sync.training import RunFolder

from .test_probe_model import ONE_RATE, TINY, config


@pytest.fixture
def embedder() -> Embedder:
    model = CAVMAESync(TINY, generator=torch.Generator().manual_seed(0)).eval()
    return Embedder(model, device="cpu", batch_size=32)


@pytest.fixture
def lists(prepared: PreparedDataset) -> dict[str, PreparedDataset]:
    """Clips to learn from, and others whose labels they know."""
    train = prepared.subset(range(10))
    known = {name for names in train.labels for name in names}
    rows = [row for row in range(10, 14) if known.issuperset(prepared.labels[row])]
    return {"train": train, "test": prepared.subset(rows)}


def made(path: Path, lists: dict[str, PreparedDataset], embedder=None, **changes) -> Path:
    """Features of all clips, test clips first."""
    clips = [lists["test"], lists["train"]]
    ids = [clip_id for each in clips for clip_id in each.clip_ids]
    if embedder is None:
        features = np.random.default_rng(0).normal(size=(len(ids), 3, 8)).astype(np.float32)
    else:
        features = np.concatenate([embed_features(embedder, each, FeatureConfig()).numpy() for each in clips])
    arrays = {"features": features, "ids": np.array(ids), **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize("head", ["transformer", "linear"])
def test_our_own_features_in_a_file_give_our_own_report(embedder, lists, tmp_path: Path, head: str):
    words = (*ONE_RATE, f"head={head}")
    own = probe_model(embedder, config(*words), out=tmp_path / "own", **lists)
    given = open_features(made(tmp_path / "f.npz", lists, embedder), **lists)
    busy = pytest.raises(TrainingError, match="Another process is training")
    with RunFolder(tmp_path / "theirs").held(), busy:
        probe_feature_file(given, config(*words), out=tmp_path / "theirs", device="cpu")
    theirs = probe_feature_file(given, config(*words), out=tmp_path / "theirs", device="cpu")
    report, averaged = theirs.reports["last_epoch"], theirs.reports["averaged"]
    assert report.scores_NC.equal(own.report.scores_NC)
    assert averaged.scores_NC.equal(own.reports["averaged"].scores_NC)
    assert (report.metrics, report.clip_list) == (own.report.metrics, own.report.clip_list)
    assert report.weights != own.report.weights
    written = json.loads((tmp_path / "theirs" / "report.json").read_text())
    assert written == report.to_dict()
    assert written["config"]["features"] == "f"
    assert (tmp_path / "theirs" / "averaged.json").exists()
    assert not (tmp_path / "theirs" / "probe.safetensors").exists()
    with pytest.raises(TrainingError, match="already holds a run"):
        probe_feature_file(given, config(*words), out=tmp_path / "theirs")


def test_a_file_may_say_itself_which_clips_are_learned_from(lists, tmp_path: Path):
    labels = [*lists["test"].labels, *lists["train"].labels]
    most = max(map(len, labels))
    texts = np.array([[*names, *[""] * (most - len(names))] for names in labels])
    split = np.array(["test"] * len(lists["test"]) + ["train"] * len(lists["train"]))
    path = made(tmp_path / "f.npz", lists, labels=texts, split=split, name=np.array("Ours"))
    alone, named = open_features(path), open_features(path, **lists)
    assert alone.name == "Ours"
    assert alone.rows == named.rows
    assert list(alone.train.labels) == lists["train"].labels
    first, second = (
        probe_feature_file(each, config(*ONE_RATE), out=tmp_path / name, device="cpu").reports["last_epoch"]
        for name, each in (("a", alone), ("b", named))
    )
    assert first.scores_NC.equal(second.scores_NC)
    table = pa.table(
        {
            "features": pa.array(alone.features_NTD.tolist()),
            "ids": [*lists["test"].clip_ids, *lists["train"].clip_ids],
            "labels": [list(names) for names in labels],
            "split": split.tolist(),
        }
    )
    pq.write_table(table, tmp_path / "f.parquet")
    as_parquet = open_features(tmp_path / "f.parquet")
    np.testing.assert_array_equal(as_parquet.features_NTD, alone.features_NTD)
    assert as_parquet.fingerprint == alone.fingerprint
    assert as_parquet.test == alone.test or as_parquet.test.labels == alone.test.labels


def test_one_vector_a_clip_and_clips_of_no_use(lists, tmp_path: Path):
    ids = ["unknown", *lists["test"].clip_ids, *lists["train"].clip_ids]
    features = np.random.default_rng(0).normal(size=(len(ids), 7))
    given = open_features(made(tmp_path / "f.npz", lists, features=features, ids=np.array(ids)), **lists)
    assert given.features_NTD.shape == (len(ids), 1, 7)
    report = probe_feature_file(given, config(*ONE_RATE), out=tmp_path / "p", device="cpu").reports[
        "last_epoch"
    ]
    assert report.made_with["clips_of_the_file_not_used"] == 1


def test_shuffled_features_are_those_of_the_same_lists(lists, tmp_path: Path):
    given = open_features(made(tmp_path / "f.npz", lists), **lists)
    control = shuffled(given, seed=0)
    assert [sorted(rows) for rows in control.rows] == [sorted(rows) for rows in given.rows]
    assert control.rows != given.rows
    assert control.name == "f, shuffled"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": np.ones((12, 3), int)}, "must be float16, float32 or float64, got int64"),
        ({"features": np.ones((12, 3, 2, 2))}, r"must be \[clips, vectors, width\].* got \[12, 3, 2, 2\]"),
        ({"features": np.ones((0, 3))}, "not empty"),
        ({"features": np.ones(())}, r"must be \[clips"),
        ({"features": np.ones((3, 4))}, "ids for 3 rows of features"),
        ({"ids": None}, "has no ids"),
        ({"feature": np.ones((12, 3))}, "unknown: feature"),
        ({"features": np.array([object()] * 12)}, "pickles are not loaded"),
        ({"name": np.array(5)}, "name must be one text, got 5"),
    ],
)
def test_what_is_no_file_of_features_is_refused(lists, tmp_path: Path, changes: dict, says: str):
    with pytest.raises(DatasetError, match=says):
        open_features(made(tmp_path / "f.npz", lists, **changes), **lists)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39])
def test_numbers_that_are_none_are_named(lists, tmp_path: Path, bad: float):
    count = len(lists["train"]) + len(lists["test"])
    features = np.ones((count, 2, 3))
    features[-1, 0, 2] = bad
    says = rf"features of 1 of {count} rows hold NaN.*{lists['train'].clip_id(9)}"
    with pytest.raises(DatasetError, match=says):
        open_features(made(tmp_path / "f.npz", lists, features=features), **lists)


def test_clips_that_lack_or_stand_twice_are_named(lists, tmp_path: Path):
    ids = [*lists["test"].clip_ids, *lists["train"].clip_ids]
    path = made(tmp_path / "f.npz", lists, ids=np.array(["x", *ids[1:]]))
    with pytest.raises(DatasetError, match=rf"lacks 1 of the .*: {ids[0]}\. It has \d+ other ids: x"):
        open_features(path, **lists)
    path = made(tmp_path / "f.npz", lists, ids=np.array([ids[1], *ids[1:]]))
    with pytest.raises(DatasetError, match="is there more than once"):
        open_features(path, **lists)


def test_a_clip_on_both_sides_is_refused(lists, tmp_path: Path):
    with pytest.raises(DatasetError, match="are also in"):
        open_features(made(tmp_path / "f.npz", lists), train=lists["train"], test=lists["train"])
    count = len(lists["train"]) + len(lists["test"])
    features = np.random.default_rng(0).normal(size=(count, 3))
    features[0] = features[-1]
    ids = [*lists["test"].clip_ids, *lists["train"].clip_ids]
    split = ["test"] * len(lists["test"]) + ["train"] * len(lists["train"])
    path = made(
        tmp_path / "f.npz", lists, features=features, labels=np.array(["a"] * count), split=np.array(split)
    )
    with pytest.raises(DatasetError, match=rf"{ids[0]} \(same features as {ids[-1]}\).*--allow-overlap"):
        open_features(path)
    assert len(open_features(path, allow_overlap=True).shared) == 1


def test_what_the_file_must_say_without_datasets(lists, tmp_path: Path):
    count = len(lists["train"]) + len(lists["test"])
    labels = np.array(["a"] * count)
    for changes, says in (
        ({}, "has no labels or no split"),
        ({"labels": labels, "split": np.array(["train"] * count)}, "no clip whose split is test"),
        ({"labels": labels, "split": np.array(["dev"] * count)}, "split must be train or test .* got 'dev'"),
        ({"labels": labels[1:], "split": np.array(["train"] * count)}, "labels for"),
    ):
        with pytest.raises(DatasetError, match=says):
            open_features(made(tmp_path / "f.npz", lists, **changes))
    with pytest.raises(ConfigError, match="both --train and --test"):
        open_features(made(tmp_path / "f.npz", lists), train=lists["train"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("backbone=frozen",), "Use a recipe that probes"),
        (("features.tokens=patch_mean",), "chooses tokens of a model"),
    ],
)
def test_what_would_change_features_is_refused(lists, tmp_path: Path, words, says: str):
    given = open_features(made(tmp_path / "f.npz", lists), **lists)
    with pytest.raises(ConfigError, match=says):
        probe_feature_file(given, config(*words), out=tmp_path / "p")

"""Retrieval on what is left of a list: which clips, what is missing, what to expect of the whole."""

import json
from dataclasses import replace

import pytest
import torch

from cavmae_sync.data import ClipList, select
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.metrics import expected_recall, true_match_ranks
from cavmae_sync.tasks.retrieval import RetrievalConfig, evaluate_retrieval, retrieval_report
from cavmae_sync.tasks.retrieval.gallery_size import (
    Gallery,
    check_gallery,
    on_list,
    with_gallery,
)


def list_of(ids):
    return ClipList(ids=tuple(ids), labels=((),) * len(ids), name="official", source="test")


@pytest.fixture
def report(embedder, prepared):
    return evaluate_retrieval(embedder, prepared, RetrievalConfig(num_bootstrap=50))


def test_missing_clips_are_counted_named_and_expected(embedder, prepared):
    wanted = list_of([*reversed(prepared.clip_ids[:8]), "gone-1", "gone-2"])
    selection = select(prepared, wanted)
    report = evaluate_retrieval(embedder, selection.clips, RetrievalConfig(num_bootstrap=50))
    found = with_gallery(report, Gallery(wanted=wanted, missing=selection.missing))
    assert found.counts["gallery"] == 8
    assert (found.counts["on_list"], found.counts["missing"], found.counts["expected_gallery"]) == (10, 2, 10)
    assert found.made_with["missing_clips"] == ["gone-1", "gone-2"]
    assert found.made_with["list_sha256"] == wanted.sha256
    assert found.clip_list == selection.clips.list_sha256
    assert found.made_with["expected_interval_over"] == "missing"
    json.loads(found.to_json())
    for direction, matrix in (
        ("audio_to_visual", found.similarity_QG),
        ("visual_to_audio", found.similarity_QG.T),
    ):
        expected = expected_recall(true_match_ranks(matrix), num_gallery=8, size=10)
        for name, value in expected.items():
            row = found.metrics[f"{direction}/{name}_expected_at_10"]
            assert row.value == value
            assert row.low is not None
            assert row.low <= row.high
            assert row.chance == pytest.approx(int(name.split("_")[-1]) / 10)


def test_a_whole_list_expects_nothing_new(report, prepared):
    found = with_gallery(report, Gallery(wanted=list_of(prepared.clip_ids)))
    assert found.metrics == report.metrics
    assert found.counts["missing"] == 0


def test_another_size_has_the_interval_of_other_clips(report):
    found = with_gallery(report, Gallery(size=20))
    assert found.made_with["expected_interval_over"] == "clips"
    assert "list" not in found.made_with
    assert "audio_to_visual/recall_at_1_expected_at_20" in found.metrics
    smaller = with_gallery(report, Gallery(size=10))
    name = "audio_to_visual/recall_at_1"
    assert smaller.metrics[f"{name}_expected_at_10"].value >= report.metrics[name].value
    assert "expectation_warns" not in found.made_with
    assert "expectation_warns" in with_gallery(report, Gallery(size=50)).made_with


def test_too_large_a_gallery_and_counting_without_ranks_are_refused(report):
    with pytest.raises(ConfigError, match="at least 25 are needed"):
        with_gallery(report, Gallery(size=100))
    official = retrieval_report(report.embeddings, RetrievalConfig(ties="official"))
    with pytest.raises(ConfigError, match="ties=mean"):
        with_gallery(official, Gallery(size=20))
    for size, ties, message in ((100, "mean", "at least 25"), (20, "official", "ties=mean")):
        with pytest.raises(ConfigError, match=message):
            check_gallery(Gallery(size=size), num_clips=len(report.similarity_QG), ties=ties)
    wanted = list_of([*report.embeddings.clip_ids, "gone"])
    without = with_gallery(official, Gallery(wanted=wanted, missing=("gone",)))
    assert without.metrics == official.metrics
    assert "ties=mean" in without.made_with["no_expectation"]


def test_vectors_of_a_file_follow_the_list(report):
    ids = report.embeddings.clip_ids
    chosen, missing = on_list(report.embeddings, list_of([ids[3], "gone", ids[1]]))
    assert chosen.clip_ids == (ids[3], ids[1])
    assert missing == ("gone",)
    torch.testing.assert_close(chosen.audio_NTD, report.embeddings.audio_NTD[[3, 1]])
    assert chosen.clip_list != report.clip_list
    with pytest.raises(DatasetError, match="No clip of official"):
        on_list(report.embeddings, list_of(["gone"]))


def test_vectors_of_another_stretch_of_a_listed_video_do_not_pass(report):
    ids = ("--4gqARaEJE_50.000", *report.embeddings.clip_ids[1:])
    wanted = ClipList(
        ids=("--4gqARaEJE", ids[1]), labels=((), ()), name="eval", source="test", start_seconds=(30.0, None)
    )
    chosen, missing = on_list(replace(report.embeddings, clip_ids=ids), wanted)
    assert (chosen.clip_ids, missing) == ((ids[1],), ("--4gqARaEJE",))

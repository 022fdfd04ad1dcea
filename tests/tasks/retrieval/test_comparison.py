"""Peers on identical lists: paired differences, and what makes a comparison impossible."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.metrics import true_match_ranks
from cavmae_sync.tasks.retrieval import (
    RetrievalConfig,
    compare_retrieval,
    in_order_of,
    retrieval_report,
)

DIRECTIONS = ("audio_to_visual", "visual_to_audio")


def test_a_difference_is_that_of_the_two_reports_and_its_interval_is_paired(good, bad):
    reports = {"good": retrieval_report(good), "bad": retrieval_report(bad)}
    found = compare_retrieval(reports, num_bootstrap=400, seed=3)
    assert len(found.metrics) == 3 * 8 + 2, "plain recall, WHAT and WHEN, and two moment accuracies"
    for direction in DIRECTIONS:
        for metric in ("recall_at_1", "recall_at_10", "median_rank"):
            value = found.metrics[f"bad minus good/{direction}/{metric}"]
            values = [reports[name].metrics[f"{direction}/{metric}"].value for name in ("bad", "good")]
            assert value.value == pytest.approx(values[0] - values[1])
            assert value.low <= value.value <= value.high
    # A second implementation: the same draws for both, in NumPy.
    matrices = [reports[name].similarity_QG for name in ("good", "bad")]
    hits = [(true_match_ranks(matrix) < 1).numpy().astype(float) for matrix in matrices]
    draws = torch.randint(80, (400, 80), generator=torch.Generator().manual_seed(3)).numpy()
    differences = hits[1][draws].mean(axis=1) - hits[0][draws].mean(axis=1)
    value = found.metrics["bad minus good/audio_to_visual/recall_at_1"]
    np.testing.assert_allclose((value.low, value.high), np.quantile(differences, [0.025, 0.975]))


def test_what_when_and_moments_are_compared_as_well(good, bad):
    reports = {"good": retrieval_report(good), "bad": retrieval_report(bad)}
    found = compare_retrieval(reports, num_bootstrap=400, seed=3)
    for metric in ("what/visual_to_audio/recall_at_1", "when/audio_to_visual/median_rank"):
        values = [reports[name].metrics[metric].value for name in ("bad", "good")]
        assert found.metrics[f"bad minus good/{metric}"].value == pytest.approx(values[0] - values[1])
    value = found.metrics["bad minus good/moment/audio_to_visual/accuracy"]
    right = [reports[name].measures.moments.accuracy("audio_to_visual").numpy() for name in ("good", "bad")]
    draws = torch.randint(80, (400, 80), generator=torch.Generator().manual_seed(3)).numpy()
    differences = (right[1] - right[0])[draws].mean(axis=1)
    assert value.value == pytest.approx((right[1] - right[0]).mean())
    np.testing.assert_allclose((value.low, value.high), np.quantile(differences, [0.025, 0.975]), atol=1e-9)


def test_pairing_makes_the_interval_of_near_twins_narrow(good):
    """Two models that differ on one clip: side by side their intervals overlap widely."""
    twin = replace(good, visual_NTD=good.visual_NTD.clone())
    twin.visual_NTD[0] = good.visual_NTD[1]
    first, second = retrieval_report(good), retrieval_report(twin)
    value = compare_retrieval({"a": first, "b": second}).metrics["b minus a/audio_to_visual/recall_at_1"]
    own = first.metrics["audio_to_visual/recall_at_1"]
    assert value.high - value.low < (own.high - own.low) / 2


def test_a_model_does_not_differ_from_itself(good):
    report = retrieval_report(good)
    for value in compare_retrieval({"a": report, "again": report}).metrics.values():
        assert (value.value, value.low, value.high) == (0, 0, 0)


def test_it_is_printed_in_points_with_a_sign(good, bad):
    found = compare_retrieval({"good": retrieval_report(good), "bad": retrieval_report(bad)})
    text = found.metrics["bad minus good/audio_to_visual/recall_at_1"].text()
    assert text.startswith("-")
    assert text.endswith(" points")


def test_every_model_is_compared_with_the_first(good, bad):
    reports = {name: retrieval_report(each) for name, each in (("a", good), ("b", bad), ("c", good))}
    found = compare_retrieval(reports, num_bootstrap=5)
    assert {name.split("/")[0] for name in found.metrics} == {"b minus a", "c minus a"}
    assert found.settings()["reference"] == "a"


def test_other_clips_and_other_choices_are_not_compared(good, bad):
    report = retrieval_report(good, RetrievalConfig(num_bootstrap=0))
    for other in (
        replace(bad, clip_ids=tuple(reversed(bad.clip_ids))),
        replace(bad, clip_ids=tuple(f"other{i}" for i in range(80))),
        replace(bad, has_ids=False),
    ):
        with pytest.raises(DatasetError, match="have different clips"):
            compare_retrieval({"a": report, "b": retrieval_report(other, RetrievalConfig(num_bootstrap=0))})
    with pytest.raises(ValueError, match="was measured with"):
        compare_retrieval({"a": report, "b": retrieval_report(bad, RetrievalConfig(aggregation="block_max"))})
    with pytest.raises(ValueError, match="was measured with"):
        compare_retrieval({"a": report, "b": retrieval_report(bad.at_frame(1))})
    with pytest.raises(ValueError, match="two reports"):
        compare_retrieval({"a": report})
    official = retrieval_report(good, RetrievalConfig(ties="official"))
    with pytest.raises(ConfigError, match="loses and repeats queries"):
        compare_retrieval({"a": official, "b": official})


def test_clips_are_matched_by_their_ids(good):
    order = torch.randperm(80, generator=torch.Generator().manual_seed(0)).tolist()
    mixed = good.take(order, clip_list="")
    back = in_order_of(mixed, good.clip_ids, name="mixed", other="good")
    assert torch.equal(back.visual_NTD, good.visual_NTD)
    assert back.clip_list == ids_fingerprint(good.clip_ids)
    with pytest.raises(DatasetError, match=r"2 clips \('clip0', 'clip1'\) only in good, 0 clips only in few"):
        in_order_of(good.take(range(2, 80), clip_list=""), good.clip_ids, name="few", other="good")
    with pytest.raises(DatasetError, match="bare has no ids"):
        in_order_of(replace(good, has_ids=False), good.clip_ids, name="bare", other="good")

"""Peers on identical lists: paired differences, and what makes a comparison impossible."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.embedding import DatasetEmbeddings, write_embeddings
from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.metrics import true_match_ranks
from cavmae_sync.tasks.retrieval import (
    RetrievalConfig,
    compare_retrieval,
    in_order_of,
    open_embeddings,
    retrieval_report,
    retrieval_shuffled,
)

DIRECTIONS = ("audio_to_visual", "visual_to_audio")


def unit_rows(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def noisy(make_embeddings, *, noise, seed, num_clips=80) -> DatasetEmbeddings:
    """Pictures are the sounds with noise: the more of it, the worse."""
    audio = unit_rows(num_clips, 4, 16)
    visual = F.normalize(audio + noise * unit_rows(num_clips, 4, 16, seed=seed), dim=-1)
    return make_embeddings(audio, visual)


@pytest.fixture
def good(make_embeddings):
    return noisy(make_embeddings, noise=2.0, seed=1)


@pytest.fixture
def bad(make_embeddings):
    return noisy(make_embeddings, noise=5.0, seed=2)


def test_a_difference_is_that_of_the_two_reports_and_its_interval_is_paired(good, bad):
    reports = {"good": retrieval_report(good), "bad": retrieval_report(bad)}
    found = compare_retrieval(reports, num_bootstrap=400, seed=3)
    assert len(found.metrics) == 8
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
        with pytest.raises(DatasetError, match="have other clips"):
            compare_retrieval({"a": report, "b": retrieval_report(other, RetrievalConfig(num_bootstrap=0))})
    with pytest.raises(ValueError, match="was measured with"):
        compare_retrieval({"a": report, "b": retrieval_report(bad, RetrievalConfig(aggregation="block_max"))})
    with pytest.raises(ValueError, match="was measured with"):
        compare_retrieval({"a": report, "b": retrieval_report(bad.at_frame(1))})
    with pytest.raises(ValueError, match="two reports"):
        compare_retrieval({"a": report})
    official = retrieval_report(good, RetrievalConfig(ties="official"))
    with pytest.raises(ConfigError, match="published counting"):
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


class TestFiles:
    """Several files are brought to one list and one order."""

    def test_of_one_name_are_told_apart_by_their_paths(self, good, bad, tmp_path):
        paths = [tmp_path / "a.npz", tmp_path / "b.parquet"]
        for path, each in zip(paths, (good, bad), strict=True):
            write_embeddings(replace(each, made_with={"name": "same"}), path)
        assert list(open_embeddings(paths)) == [str(path) for path in paths]
        with pytest.raises(ConfigError, match="named twice"):
            open_embeddings([paths[0], paths[0]])

    def test_take_the_order_of_the_first(self, good, tmp_path):
        write_embeddings(good, tmp_path / "ours.npz")
        mixed = good.take(range(79, -1, -1), clip_list=ids_fingerprint(good.clip_ids[::-1]))
        write_embeddings(mixed, tmp_path / "theirs.npz")
        first, second = open_embeddings([tmp_path / "ours.npz", tmp_path / "theirs.npz"]).values()
        assert torch.equal(first.audio_NTD, second.audio_NTD)
        assert first.clip_list == second.clip_list == good.clip_list

    def test_are_checked_against_a_dataset(self, embedder, clips, tmp_path):
        vectors = embedder.embed_dataset(clips)
        bare = replace(vectors, labels=((),) * 2, clip_list="x").take([1, 0], clip_list="x")
        write_embeddings(bare, tmp_path / "theirs.npz")
        (found,) = open_embeddings([tmp_path / "theirs.npz"], clips=clips).values()
        assert found.clip_ids == tuple(clips.clip_ids)
        assert found.clip_list == clips.list_sha256
        assert torch.equal(found.audio_NTD, vectors.audio_NTD)
        (one,) = open_embeddings([tmp_path / "theirs.npz"], clips=clips, num_clips=1).values()
        assert one.clip_list == clips.head(1).list_sha256
        write_embeddings(bare.take([0], clip_list="x"), tmp_path / "one.npz")
        with pytest.raises(DatasetError, match="do not hold the same clips"):
            open_embeddings([tmp_path / "one.npz"], clips=clips)


class TestLeaks:
    """What a file of vectors can hide."""

    @pytest.mark.parametrize("noise", [0.0, 2.0])
    def test_shuffled_pairs_are_at_chance_however_good_the_vectors(self, make_embeddings, noise):
        vectors = noisy(make_embeddings, noise=noise, seed=1, num_clips=400)
        report = retrieval_report(vectors, RetrievalConfig(num_bootstrap=0))
        shuffled = [retrieval_shuffled(report, seed=seed) for seed in range(10)]
        for direction in DIRECTIONS:
            found = [each.metrics[f"{direction}/recall_at_10"].value for each in shuffled]
            assert np.mean(found) == pytest.approx(10 / 400, abs=4 * (0.025 * 0.975 / 4000) ** 0.5)
        assert {each.weights for each in shuffled} == {"shuffled"}

    def test_equal_vectors_are_counted(self, good):
        twins = replace(good, audio_NTD=good.audio_NTD.clone(), visual_NTD=good.visual_NTD.clone())
        twins.audio_NTD[1:4] = twins.audio_NTD[0]
        twins.visual_NTD[5] = twins.audio_NTD[5]
        counts = retrieval_report(twins, RetrievalConfig(num_bootstrap=0)).counts
        assert counts["repeated_sounds"] == 3
        assert counts["repeated_pictures"] == 0
        assert counts["sounds_equal_to_their_picture"] == 1

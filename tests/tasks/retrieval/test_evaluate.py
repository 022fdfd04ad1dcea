import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import AGGREGATIONS, similarity_matrix
from cavmae_sync.embedding import similarity as blocks_of_scores
from cavmae_sync.errors import ConfigError
from cavmae_sync.metrics import official_ranks, true_match_ranks
from cavmae_sync.tasks.retrieval import (
    RetrievalConfig,
    evaluate_retrieval,
    retrieval_oracle,
    retrieval_report,
    retrieval_shuffled,
)
from cavmae_sync.tasks.retrieval.matches import find_matches

from .conftest import noisy, unit_rows

DIRECTIONS = ("audio_to_visual", "visual_to_audio")


def test_both_directions_are_reported_with_intervals_and_chance(random_embeddings):
    report = retrieval_report(random_embeddings, RetrievalConfig(num_bootstrap=50))
    assert list(report.metrics) == [
        f"{kind}{direction}/{metric}"
        for kind in ("", "what/", "when/")
        for direction in DIRECTIONS
        for metric in ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
    ] + [f"moment/{direction}/accuracy" for direction in DIRECTIONS]
    for name, value in report.metrics.items():
        assert value.low <= value.value <= value.high, name
    assert report.metrics["audio_to_visual/recall_at_5"].chance == 5 / 12
    assert report.metrics["visual_to_audio/median_rank"].chance == 6.5
    assert report.metrics["what/visual_to_audio/median_rank"].chance == 6.5
    assert report.metrics["moment/visual_to_audio/accuracy"].chance == 1 / 4
    assert dict(report.counts) == {
        "queries": 12,
        "gallery": 12,
        "broken_vectors": 0,
        "unchanging_vectors": 0,
        "scores_not_a_number": 0,
        "repeated_sounds": 0,
        "repeated_pictures": 0,
        "sounds_equal_to_their_picture": 0,
    }


def test_numbers_are_those_of_the_metric_on_the_kept_matrix(random_embeddings):
    report = retrieval_report(random_embeddings, RetrievalConfig(num_bootstrap=5))
    for direction, matrix in zip(DIRECTIONS, (report.similarity_QG, report.similarity_QG.T), strict=True):
        ranks = true_match_ranks(matrix)
        assert report.metrics[f"{direction}/recall_at_5"].value == (ranks < 5).double().mean()
        assert report.metrics[f"{direction}/median_rank"].value == ranks.quantile(0.5) + 1


def test_every_aggregation_comes_from_the_same_vectors(random_embeddings):
    report = retrieval_report(random_embeddings, RetrievalConfig(num_bootstrap=5, seed=3, ties="pessimistic"))
    for aggregation in AGGREGATIONS:
        other = report.aggregated(aggregation)
        assert other.config == report.config.model_copy(update={"aggregation": aggregation})
        expected = similarity_matrix(
            random_embeddings.audio_NTD, random_embeddings.visual_NTD, aggregation=aggregation
        )
        assert torch.equal(other.similarity_QG, expected)


def test_a_model_that_knows_the_answer_is_perfect(make_embeddings):
    clips = unit_rows(30, 4, 16)
    report = retrieval_report(make_embeddings(clips, clips), RetrievalConfig(num_bootstrap=5))
    for direction in DIRECTIONS:
        assert report.metrics[f"{direction}/recall_at_1"].value == 1
        assert report.metrics[f"{direction}/median_rank"].value == 1


def test_a_model_that_says_the_same_of_every_clip_finds_nothing(make_embeddings):
    """Spec 7.15; the published counting would report 10 of 22."""
    same = unit_rows(1, 4, 16).expand(22, -1, -1)
    assert retrieval_report(make_embeddings(same, same)).metrics["audio_to_visual/recall_at_10"].value == 0
    published = retrieval_report(make_embeddings(same, same), RetrievalConfig(ties="official"))
    assert published.metrics["audio_to_visual/recall_at_10"].value == pytest.approx(10 / 22)
    assert published.metrics["audio_to_visual/recall_at_10"].low is None


def test_broken_vectors_count_as_worst_and_are_reported(make_embeddings):
    audio, visual = unit_rows(5, 4, 16), unit_rows(5, 4, 16)
    audio[1, 2] = torch.nan
    report = retrieval_report(make_embeddings(audio, visual), RetrievalConfig(num_bootstrap=5))
    assert report.counts["broken_vectors"] == 1
    assert report.counts["scores_not_a_number"] == 5
    assert report.metrics["audio_to_visual/recall_at_1"].value == 4 / 5
    assert report.metrics["audio_to_visual/recall_at_5"].value == 1


def test_from_a_prepared_dataset_to_json(embedder, clips):
    seen = []
    report = evaluate_retrieval(
        embedder,
        clips,
        RetrievalConfig(num_bootstrap=5),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(2, 2)]
    found = json.loads(report.to_json())
    assert found["clip_list"] == clips.list_sha256
    assert found["config"]["model"]["width"] == 16
    assert found["config"]["representation"] == "global"
    assert found["counts"]["gallery"] == 2
    assert "similarity_QG" not in found


def test_the_same_seed_gives_the_same_report(random_embeddings):
    first, again, other = (
        retrieval_report(random_embeddings, RetrievalConfig(seed=seed)).to_dict() for seed in (1, 1, 2)
    )
    assert first == again
    assert first["metrics"] != other["metrics"]


def test_one_frame_alone_is_the_protocol_of_cav_mae(embedder, clips):
    """The cosine of the frame and its segment is the whole score, whatever the other frames are."""
    report = evaluate_retrieval(embedder, clips, RetrievalConfig(num_bootstrap=0), frame=2)
    embeddings = embedder.embed_dataset(clips)
    expected = embeddings.audio_NTD[:, 2] @ embeddings.visual_NTD[:, 2].T
    torch.testing.assert_close(report.similarity_QG, expected)
    assert report.made_with["frame"] == 2


def test_a_frame_that_clips_do_not_have_is_refused(random_embeddings):
    with pytest.raises(ConfigError, match="no frame 4: clips have frames 0 to 3"):
        random_embeddings.at_frame(4)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_oracle_is_perfect(random_embeddings, aggregation):
    """Vectors of other clips are no closer than a clip's own, however cosines are aggregated."""
    config = RetrievalConfig(aggregation=aggregation, num_bootstrap=0)
    oracle = retrieval_oracle(retrieval_report(random_embeddings, config))
    if aggregation != "block_mean":  # a product of means is no cosine: it need not be largest with itself
        assert all(oracle.metrics[f"{name}/recall_at_1"].value == 1 for name in DIRECTIONS)
    assert oracle.weights == "oracle"


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_matches_found_block_by_block_are_those_of_the_whole_matrix(aggregation, monkeypatch):
    """A fourth of the clips are one clip, and others differ from one another in a last bit at most."""
    monkeypatch.setattr(blocks_of_scores, "_TILE_CLIPS", 40)
    monkeypatch.setattr(blocks_of_scores, "_LEAST_TILE_CLIPS", 1)
    audio, visual = unit_rows(150, 4, 33), unit_rows(150, 4, 33, seed=1)
    for clips in (audio, visual):
        clips[::4] = clips[:1]
        clips[3::9] = clips[2:3]
        clips[3::18, 0, 0] = clips[3::18, 0, 0].nextafter(torch.tensor(2.0))
    visual[77] = torch.nan
    matrix = similarity_matrix(audio, visual, aggregation=aggregation)
    matches = find_matches(audio, visual, aggregation=aggregation)
    for direction, scores in zip(DIRECTIONS, (matrix, matrix.T), strict=True):
        for ties in ("mean", "optimistic", "pessimistic"):
            assert torch.equal(matches.ranks(ties)[direction], true_match_ranks(scores, ties=ties))
        assert torch.equal(matches.ranks("official")[direction], official_ranks(scores))
        assert matches.by_direction[direction].equal_Q.max() > 30
    assert matches.num_nan == 150


def test_matches_report_progress_and_need_both_modalities():
    seen = []
    clips = unit_rows(5, 2, 4)
    find_matches(clips, clips, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(25, 25)]
    with pytest.raises(ValueError, match="of frames, got 5 and 4"):
        find_matches(clips, clips[:4])


def test_repeated_clips_are_counted_and_broken_ones_are_no_repetition(make_embeddings):
    audio, visual = unit_rows(6, 4, 16), unit_rows(6, 4, 16, seed=1)
    audio[1] = audio[0]
    audio[2, 0, 0], audio[3] = 0.0, audio[2]
    audio[3, 0, 0] = -0.0
    visual[4] = visual[5] = torch.nan
    visual[1] = audio[1]
    counts = retrieval_report(make_embeddings(audio, visual), RetrievalConfig(num_bootstrap=0)).counts
    assert counts["repeated_sounds"] == 2
    assert counts["repeated_pictures"] == 0
    assert counts["sounds_equal_to_their_picture"] == 1


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_shuffled_pairs_are_at_chance_however_good_the_vectors(make_embeddings, noise):
    vectors = noisy(make_embeddings, noise=noise, seed=1, num_clips=400)
    report = retrieval_report(vectors, RetrievalConfig(num_bootstrap=0))
    shuffled = [retrieval_shuffled(report, seed=seed) for seed in range(10)]
    for direction in DIRECTIONS:
        found = [each.metrics[f"{direction}/recall_at_10"].value for each in shuffled]
        assert np.mean(found) == pytest.approx(10 / 400, abs=4 * (0.025 * 0.975 / 4000) ** 0.5)
    assert {each.weights for each in shuffled} == {"shuffled"}


def test_equal_vectors_are_counted(good):
    twins = replace(good, audio_NTD=good.audio_NTD.clone(), visual_NTD=good.visual_NTD.clone())
    twins.audio_NTD[1:4] = twins.audio_NTD[0]
    twins.visual_NTD[5] = twins.audio_NTD[5]
    counts = retrieval_report(twins, RetrievalConfig(num_bootstrap=0)).counts
    assert counts["repeated_sounds"] == 3
    assert counts["repeated_pictures"] == 0
    assert counts["sounds_equal_to_their_picture"] == 1

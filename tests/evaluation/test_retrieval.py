import pytest
import torch

from cavmae_sync.embedding import AGGREGATIONS, Embedder, similarity_matrix
from cavmae_sync.evaluation import evaluate_retrieval
from cavmae_sync.metrics import true_match_ranks


class OneEncoder(Embedder):
    """The visual encoder for both modalities, so that equal content gets equal vectors."""

    def embed_segments(self, segments_PLM):
        return self.embed_frames(segments_PLM[:, :, :48].reshape(-1, 3, 16, 16)).visual_PD


def test_both_directions_are_reported_with_intervals_and_chance(embedder, make_clips):
    report = evaluate_retrieval(embedder, make_clips(12), num_bootstrap=50)
    assert list(report.metrics) == [
        f"{direction}/{metric}"
        for direction in ("audio_to_visual", "visual_to_audio")
        for metric in ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
    ]
    for name, value in report.metrics.items():
        assert value.low <= value.value <= value.high, name
    assert report.metrics["audio_to_visual/recall_at_5"].chance == 5 / 12
    assert report.metrics["visual_to_audio/median_rank"].chance == 6.5
    assert dict(report.counts) == {
        "queries": 12,
        "gallery": 12,
        "substitutions": 0,
        "broken_vectors": 0,
        "scores_not_a_number": 0,
    }


def test_numbers_are_those_of_the_metric_on_the_kept_matrix(embedder, make_clips):
    report = evaluate_retrieval(embedder, make_clips(9), num_bootstrap=5)
    for direction, matrix in (
        ("audio_to_visual", report.similarity_QG),
        ("visual_to_audio", report.similarity_QG.T),
    ):
        ranks = true_match_ranks(matrix)
        assert report.metrics[f"{direction}/recall_at_5"].value == (ranks < 5).double().mean()
        assert report.metrics[f"{direction}/median_rank"].value == ranks.median() + 1


def test_every_aggregation_comes_from_one_pass(embedder, make_clips):
    clips = make_clips(6)
    first = evaluate_retrieval(embedder, clips, num_bootstrap=5)
    for aggregation in AGGREGATIONS:
        again = evaluate_retrieval(embedder, clips, aggregation=aggregation, num_bootstrap=5)
        reads = clips.num_reads
        other = first.aggregated(aggregation)
        assert clips.num_reads == reads
        assert other.to_dict() == again.to_dict()
        assert torch.equal(
            other.similarity_QG,
            similarity_matrix(
                first.embeddings.audio_NTD, first.embeddings.visual_NTD, aggregation=aggregation
            ),
        )


def test_a_model_that_knows_the_answer_is_perfect_and_identical_clips_are_chance(embedder, make_clips):
    embedder = OneEncoder(embedder.model, device="cpu")
    perfect = evaluate_retrieval(embedder, make_clips(30, same=True), num_bootstrap=5)
    assert perfect.metrics["audio_to_visual/recall_at_1"].value == 1
    assert perfect.metrics["visual_to_audio/median_rank"].value == 1
    alike = make_clips(22, num_distinct=1)
    assert (
        evaluate_retrieval(embedder, alike, num_bootstrap=5).metrics["audio_to_visual/recall_at_10"].value
        == 0
    )
    published = evaluate_retrieval(embedder, alike, ties="official", num_bootstrap=5)
    assert published.metrics["audio_to_visual/recall_at_10"].value == pytest.approx(10 / 22)
    assert published.metrics["audio_to_visual/recall_at_10"].low is None


def test_broken_vectors_count_as_worst_and_are_reported(embedder, make_clips):
    with torch.no_grad():
        embedder.model.joint.norm_a.weight.fill_(torch.nan)
    report = evaluate_retrieval(embedder, make_clips(5), num_bootstrap=5)
    assert report.counts["broken_vectors"] == 5 * 4
    assert report.counts["scores_not_a_number"] == 25
    assert report.metrics["audio_to_visual/recall_at_1"].value == 0
    assert report.metrics["audio_to_visual/median_rank"].value == 5


def test_what_was_chosen_is_in_the_report(embedder, make_clips):
    report = evaluate_retrieval(embedder, make_clips(3), ties="pessimistic", num_bootstrap=5, seed=7)
    assert {
        name: report.config[name] for name in ("aggregation", "ties", "representation", "precision", "seed")
    } == {
        "aggregation": "diagonal_mean",
        "ties": "pessimistic",
        "representation": "global",
        "precision": "float32",
        "seed": 7,
    }
    assert report.config["model"]["width"] == 16
    assert len(report.weights) == len(report.clip_list) == 64
    assert report.to_json()


def test_the_same_seed_gives_the_same_report(embedder, make_clips):
    first, again = (evaluate_retrieval(embedder, make_clips(8), num_bootstrap=20, seed=1) for _ in range(2))
    assert first.to_dict() == again.to_dict()

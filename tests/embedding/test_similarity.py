import pytest
import torch
import torch.nn.functional as F

from cavmae_sync.embedding.similarity import AGGREGATIONS, similarity_matrix
from cavmae_sync.metrics import recall_at_k, true_match_ranks


def unit_rows(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def similarity_with_loops(query, gallery, aggregation):
    """Second implementation: one cosine at a time, in float64."""
    scores = torch.empty(len(query), len(gallery), dtype=torch.float64)
    for q, one in enumerate(query.double()):
        for g, other in enumerate(gallery.double()):
            num_frames = len(one)
            pairs = [
                F.cosine_similarity(one[k], other[m], dim=0)
                for k in range(num_frames)
                for m in range(len(other))
                if k == m or aggregation.startswith("block")
            ]
            values = torch.stack(pairs)
            scores[q, g] = values.mean() if aggregation.endswith("mean") else values.max()
    return scores


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_every_aggregation_equals_double_loops(aggregation):
    query, gallery = unit_rows(5, 16, 24), unit_rows(4, 16, 24, seed=1)
    scores = similarity_matrix(query, gallery, aggregation=aggregation)
    torch.testing.assert_close(
        scores.double(), similarity_with_loops(query, gallery, aggregation), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_other_direction_is_the_transpose(aggregation):
    audio, visual = unit_rows(6, 4, 16), unit_rows(6, 4, 16, seed=1)
    torch.testing.assert_close(
        similarity_matrix(visual, audio, aggregation=aggregation),
        similarity_matrix(audio, visual, aggregation=aggregation).T,
    )


def test_names_and_order_are_the_documented_ones():
    assert list(AGGREGATIONS) == ["diagonal_mean", "diagonal_max", "block_mean", "block_max"]


def test_block_mean_is_the_product_of_time_means_that_are_not_normalised_again():
    query = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    gallery = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert similarity_matrix(query, gallery, aggregation="block_mean").item() == 0.5


def test_a_model_of_whole_clips_compares_its_one_sound_with_every_frame():
    """Plain CAV-MAE: all windows of a clip are equal, and so are all rows of its sound."""
    sound, frames = unit_rows(3, 1, 8), unit_rows(3, 5, 8, seed=1)
    scores = similarity_matrix(sound.expand(-1, 5, -1), frames)
    cosines_QGT = torch.einsum("qd,gtd->qgt", sound[:, 0], frames)
    torch.testing.assert_close(scores, cosines_QGT.mean(dim=2))


def test_block_aggregations_accept_different_numbers_of_frames():
    query, gallery = unit_rows(2, 3, 8), unit_rows(4, 7, 8, seed=1)
    for aggregation in ("block_mean", "block_max"):
        found = similarity_matrix(query, gallery, aggregation=aggregation)
        torch.testing.assert_close(
            found.double(), similarity_with_loops(query, gallery, aggregation), atol=1e-6, rtol=0
        )
    with pytest.raises(ValueError, match="3 and 7 frames"):
        similarity_matrix(query, gallery)


def test_block_max_does_not_depend_on_its_blocks(monkeypatch):
    query, gallery = unit_rows(5, 4, 8), unit_rows(9, 4, 8, seed=1)
    whole = similarity_matrix(query, gallery, aggregation="block_max")
    monkeypatch.setattr("cavmae_sync.embedding.similarity.TEMPORARY_BYTES", 2 * 5 * 4 * 4)
    torch.testing.assert_close(similarity_matrix(query, gallery, aggregation="block_max"), whole)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_scores_are_float32_under_autocast_and_for_half_precision_input(aggregation):
    query, gallery = unit_rows(3, 4, 64), unit_rows(3, 4, 64, seed=1)
    expected = similarity_matrix(query, gallery, aggregation=aggregation)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(similarity_matrix(query, gallery, aggregation=aggregation), expected)
    half = similarity_matrix(query.bfloat16(), gallery.bfloat16(), aggregation=aggregation)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, atol=0.01, rtol=0)


def test_the_callers_matrix_product_precision_is_left_as_it_was():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        similarity_matrix(unit_rows(2, 2, 4), unit_rows(2, 2, 4))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_shapes_that_do_not_fit_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match="of one width"):
        similarity_matrix(unit_rows(2, 2, 4), unit_rows(2, 2, 5))
    with pytest.raises(ValueError, match="at least one frame"):
        similarity_matrix(torch.zeros(2, 0, 4), torch.zeros(2, 0, 4))
    with pytest.raises(ValueError, match="There are: diagonal_mean"):
        similarity_matrix(unit_rows(2, 2, 4), unit_rows(2, 2, 4), aggregation="max")


def test_perfect_embeddings_retrieve_everything_and_identical_ones_nothing():
    """Spec 7.15."""
    clips = unit_rows(40, 16, 32)
    ranks = true_match_ranks(similarity_matrix(clips, clips))
    assert recall_at_k(ranks, k=1) == 1
    same = clips[:1].expand(40, -1, -1)
    for aggregation in AGGREGATIONS:
        ranks = true_match_ranks(similarity_matrix(same, same, aggregation=aggregation))
        assert ranks.tolist() == [19.5] * 40, aggregation

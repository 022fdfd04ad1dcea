"""Figures of similarity: of galleries of any size, and of one clip."""

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import ClipEmbedding
from cavmae_sync.tasks.retrieval.similarity_figure import (
    clip_figure,
    gallery_figure,
    gallery_figures,
    short_names,
)

from .conftest import unit_rows


def test_a_small_gallery_is_drawn_cell_by_cell(saved):
    figure = gallery_figure(torch.eye(4))
    cells = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(cells, np.eye(4))
    texts = saved(figure)
    assert "Similarity of sounds and pictures (4 clips)" in texts
    assert "own pairs: mean 1.000" in texts
    assert "other pairs: mean 0.000" in texts


def test_in_a_large_gallery_own_pairs_are_not_drowned_by_the_mean_of_their_cell(saved):
    figure = gallery_figure(torch.eye(600))
    cells = figure.axes[0].images[0].get_array()
    assert cells.shape == (256, 256)
    np.testing.assert_array_equal(cells.diagonal(), 1)
    assert cells[0, 5:].max() == 0
    assert any("cells are means, own pairs on the diagonal" in text for text in saved(figure))


def test_the_clips_of_a_gallery_have_names(saved):
    figure = gallery_figure(torch.eye(3), clip_ids=["a/dog", "a/cat", f"a/{'long' * 9}@20.000"])
    saved(figure)
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [text.get_text() for text in labels] == ["dog", "cat", "longlonglo…ng@20.000"]
    assert axes.get_xticks().tolist() == [1, 2, 3]
    axes = gallery_figure(torch.eye(100), clip_ids=[f"clip{n}" for n in range(100)]).axes[0]
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert (len(names), names[0], names[-1]) == (40, "clip0", "clip99")
    assert axes.get_xlabel() == "picture of (40 of 100 are named)"


def test_equal_names_in_other_folders_keep_their_folders():
    assert short_names(["a/dog", "b/dog"]) == ["a/dog", "b/dog"]


@pytest.mark.parametrize("matrix", [torch.full((3, 3), torch.nan), torch.ones(1, 1)])
def test_odd_galleries_are_still_drawn(saved, matrix):
    saved(gallery_figure(matrix))


def test_a_gallery_in_two_small_figures_shows_the_same(saved):
    matrix, spread = gallery_figures(torch.eye(4))
    np.testing.assert_array_equal(matrix.axes[0].images[0].get_array(), np.eye(4))
    assert max(figure.get_figwidth() for figure in (matrix, spread)) < 5
    assert "own pairs: mean 1.000" in saved(spread)
    saved(matrix)


def test_a_gallery_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r"square matrix, got \(2, 3\)"):
        gallery_figure(torch.zeros(2, 3))


def clip_embedding(num_frames=16):
    return ClipEmbedding(
        audio_TD=unit_rows(num_frames, 8),
        visual_TD=unit_rows(num_frames, 8),
        frame_seconds_T=torch.linspace(0, 10, num_frames, dtype=torch.float64),
    )


def test_a_clip_is_drawn_against_time_with_frames_and_spectrogram(saved):
    frames = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    figure = clip_figure(clip_embedding(), frames_THWC=frames, log_mel_NM=np.zeros((998, 128), np.float16))
    heat = figure.axes[0]
    np.testing.assert_allclose(heat.get_xlim(), (-1 / 3, 10 + 1 / 3))
    assert len(figure.axes[-1].images) == 16
    texts = saved(figure)
    assert "Sound and picture of one clip: mean of the diagonal 1.000" in texts
    assert {"time of the frame (s)", "time of the sound (s)", "cosine"} <= set(texts)


@pytest.mark.parametrize("num_frames", [1, 2, 16])
def test_a_clip_is_drawn_without_frames_and_spectrogram_too(saved, num_frames):
    texts = saved(clip_figure(clip_embedding(num_frames)))
    assert {"time of the frame (s)", "time of the sound (s)"} <= set(texts)

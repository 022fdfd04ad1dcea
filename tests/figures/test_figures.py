import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.embedding import ClipEmbedding
from cavmae_sync.figures import curve_figure, training_curves
from cavmae_sync.figures.style import new_figure, time_axis
from cavmae_sync.figures.tables import Series, table_figure
from cavmae_sync.tasks.retrieval import RetrievalConfig, evaluate_retrieval
from cavmae_sync.tasks.retrieval.matches_figure import matches_figure, nearest
from cavmae_sync.tasks.retrieval.similarity_figure import (
    clip_figure,
    gallery_figure,
    gallery_figures,
    short_names,
)


def unit_rows(*shape):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


# ---- similarity --------------------------------------------------------------------------------------------


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
    axes = gallery_figure(torch.eye(3), clip_ids=["a/dog", "a/cat", f"a/{'long' * 9}@20.000"]).axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [text.get_text() for text in labels] == ["dog", "cat", "longlonglo…ng@20.000"]
    assert axes.get_xticks().tolist() == [1, 2, 3]
    figure = gallery_figure(torch.eye(100), clip_ids=[f"clip{n}" for n in range(100)])
    texts = saved(figure)
    assert {"clip0", "clip99", "picture of (40 of 100 are named)"} <= set(texts)


def test_equal_names_in_other_folders_keep_their_folders():
    assert short_names(["a/dog", "b/dog"]) == ["a/dog", "b/dog"]


@pytest.mark.parametrize("matrix", [torch.full((3, 3), torch.nan), torch.ones(1, 1)])
def test_odd_galleries_are_still_drawn(saved, matrix):
    saved(gallery_figure(matrix))


def test_a_gallery_in_two_small_pictures_shows_the_same(saved):
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


# ---- matches -----------------------------------------------------------------------------------------------


def test_nearest_items_come_first_and_broken_scores_last():
    assert nearest(torch.tensor([0.1, torch.nan, 0.9, 0.5]), num=4) == [2, 3, 0, 1]


@pytest.mark.parametrize("direction", ["audio_to_visual", "visual_to_audio"])
def test_matches_outline_the_own_clip_in_words_too(saved, embedder, two_clips, direction):
    report = evaluate_retrieval(embedder, two_clips, RetrievalConfig(num_bootstrap=2))
    texts = saved(matches_figure(report, two_clips, queries=[0, 1], direction=direction))
    assert sum(text.endswith("own clip") for text in texts) == 2
    assert sum("own clip at\nplace" in text for text in texts) == 2
    assert "clip0" in texts


def test_matches_refuse_other_clips_and_no_query(embedder, two_clips):
    report = evaluate_retrieval(embedder, two_clips, RetrievalConfig(num_bootstrap=2))
    with pytest.raises(ValueError, match="not the clips of the report"):
        matches_figure(report, two_clips.head(1), queries=[0])
    with pytest.raises(ValueError, match="at least one query"):
        matches_figure(report, two_clips, queries=[])


# ---- training ---------------------------------------------------------------------------


def test_curves_have_a_panel_per_number_and_a_line_per_kind(saved):
    rows = [
        {"kind": "train", "step": 1, "epoch": 0.1, "learning_rate": 1e-4, "gradient_norm": 3.0, "total": 2.0},
        {"kind": "train", "step": 2, "epoch": 0.2, "learning_rate": 2e-4, "gradient_norm": 2.0, "total": 1.0},
        {"kind": "validation", "step": 2, "total": 1.5},
    ]
    figure = training_curves(rows)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.lines]
    assert titles == ["total", "learning rate", "gradient norm"]
    total = figure.axes[0]
    assert [line.get_label() for line in total.lines] == ["train", "validation"]
    np.testing.assert_array_equal(total.lines[0].get_xydata(), [[1, 2.0], [2, 1.0]])
    assert {"step", "loss"} <= set(saved(figure))


def test_one_curve_is_small_enough_for_a_telephone(saved):
    rows = [{"kind": "train", "step": 1, "total": 2.0}, {"kind": "validation", "step": 2, "total": 1.5}]
    figure = curve_figure(rows, "total", title="All losses")
    assert figure.get_figwidth() < 5
    assert {"All losses", "train", "validation"} <= set(saved(figure))


def test_a_run_without_numbers_has_no_curves():
    with pytest.raises(ValueError, match="no curve to draw in 1 rows"):
        training_curves([{"kind": "train", "step": 1, "epoch": 0.1}])


@pytest.mark.parametrize(
    ("stop", "marks"), [(3.0, ["0:00", "0:00.5", "0:01"]), (800.0, ["0:00", "2:00", "4:00"])]
)
def test_marks_of_time_are_those_of_a_player(stop, marks):
    axes = new_figure(width_inches=4, height_inches=1).subplots()
    time_axis(axes, 0.0, stop)
    places = [place for place in axes.xaxis.get_major_locator()() if place >= 0]
    assert [axes.xaxis.get_major_formatter()(place, None) for place in places][:3] == marks


def test_a_table_shows_its_last_row_also_without_a_bar():
    figure = table_figure([Series(name="R@1", values=[[0.2], []])], rows=["a", "b"], title="t")
    assert figure.axes[0].get_ylim() == (1.5, -0.5)


@pytest.mark.parametrize("name", ["$\\frac$", "cost $5 and $6", "$x_{", "a$b", "\\alpha"])
def test_names_with_dollar_signs_are_no_formulas(saved, name: str):
    figure = new_figure(width_inches=3, height_inches=2)
    axes = figure.subplots()
    axes.bar([0, 1], [1, 2], label=name)
    axes.set_xticks([0, 1], labels=[name, "b"])
    axes.set_title(name)
    axes.legend()
    figure.suptitle(name)
    assert saved(figure).count(name) >= 4

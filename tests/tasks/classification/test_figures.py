"""Pictures of classification: what is drawn, in which order, and what is said about what is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cavmae_sync.figures.style import drawable
from cavmae_sync.maps import MapConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationConfig, classification_report
from cavmae_sync.tasks.classification.figures import (
    class_scores_figure,
    classes_over_time_figure,
    classifier_curves,
    confusion_figure,
)
from cavmae_sync.tasks.classification.video_classes import SpanProbabilities, VideoClasses


def report_of(scores_NC, is_true_NC, *, names=None, is_single_label=False):
    return classification_report(
        scores_NC,
        is_true_NC,
        ClassificationConfig(num_bootstrap=0),
        classes=names or [f"class {c}" for c in range(scores_NC.shape[1])],
        is_single_label=is_single_label,
        made_with={},
        weights="b" * 64,
        clip_list="a" * 64,
    )


def test_bars_are_sorted_and_say_how_many_clips_there_are(saved):
    is_true_NC = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()
    scores_NC = torch.tensor([[0.1, 0.9, 0], [0.9, 0.8, 0], [0.5, 0.1, 0], [0.4, 0.2, 0]])
    figure = class_scores_figure(report_of(scores_NC, is_true_NC, names=("drum", "音", "dog")))
    bars = [bar.get_width() for bar in figure.axes[0].patches]
    assert bars == pytest.approx([100.0, 50.0])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["?", "drum"]
    texts = saved(figure)
    assert "classes without clips, left out: 1" in texts
    assert "clips of the class, of 4" in texts
    assert "Average precision by class: mean 75.0 %" in texts


def test_of_many_classes_the_best_and_the_worst_are_drawn(saved):
    generator = torch.Generator().manual_seed(0)
    is_true_NC = torch.rand(50, 70, generator=generator) < 0.3
    figure = class_scores_figure(report_of(torch.randn(50, 70, generator=generator), is_true_NC))
    assert len(figure.axes[0].patches) == 60
    assert "the best and the worst 30 classes; not drawn: 10 between them" in saved(figure)


def test_no_class_with_clips_is_no_figure():
    with pytest.raises(ValueError, match="No class has positives"):
        class_scores_figure(report_of(torch.rand(3, 2), torch.zeros(3, 2, dtype=torch.bool)))


def test_a_confusion_matrix_has_percent_of_rows_and_grey_for_no_clips(saved):
    is_true_NC = torch.eye(3, dtype=torch.bool)[[0, 0, 0, 0, 1]]
    scores_NC = torch.eye(3)[[0, 0, 0, 1, 1]]
    figure = confusion_figure(report_of(scores_NC, is_true_NC, is_single_label=True))
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares[:2], [[75, 25, 0], [0, 100, 0]])
    assert shares.mask[2].all()
    texts = saved(figure)
    assert {"Confusion matrix: 80.0 % right", "75", "25", "100", "class 0 (4)"} <= set(texts)
    assert "grey rows have no clips" in texts


def test_a_confusion_matrix_of_many_classes_has_numbers_instead_of_names(saved):
    is_true_NC = torch.eye(45, dtype=torch.bool)
    texts = saved(confusion_figure(report_of(is_true_NC.float(), is_true_NC, is_single_label=True)))
    assert "class number" in texts
    assert "class 0 (1)" not in texts


def video_classes(num_moments, *, num_classes=12):
    generator = np.random.default_rng(0)
    times = np.linspace(1.5, 61.5, num_moments + 1)
    moments_NC = generator.uniform(0, 0.2, (num_moments, num_classes)).astype(np.float32)
    moments_NC[num_moments // 2, 3] = 1.0
    clip_NC = moments_NC.mean(axis=0, keepdims=True)
    clip_NC[0, 3] = 0.9
    return VideoClasses(
        classes=tuple(f"class {c}" for c in range(num_classes)),
        loss="bce",
        clips=SpanProbabilities(
            start_seconds_N=np.array([1.5]), stop_seconds_N=np.array([61.5]), probabilities_NC=clip_NC
        ),
        moments=SpanProbabilities(
            start_seconds_N=times[:-1], stop_seconds_N=times[1:], probabilities_NC=moments_NC
        ),
        window_seconds=2.0,
        frame_seconds_T=np.linspace(2, 60, 20),
        frames_THWC=generator.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8),
        weights="a" * 64,
    )


def test_classes_over_time_are_ten_rows_with_clock_times_and_frames(saved):
    figure = classes_over_time_figure(video_classes(90))
    heat = figure.axes[0].collections[0].get_array()
    assert heat.shape == (10, 90)
    assert heat[0, 45] == 100.0  # the surest class is the first row
    texts = saved(figure)
    assert {"class 3", "0:10", "1:00"} <= set(texts)
    assert "each moment by its ten seconds and a window of 2 s around it" in texts


def test_maps_lie_over_the_same_frames_and_colours_mean_the_same_in_all(saved):
    found = video_classes(90)
    maps_THW = np.random.default_rng(0).uniform(-1, 1, (20, 2, 2)).astype(np.float32)
    figure = classes_over_time_figure(replace(found, maps_THW=maps_THW, maps_by=MapConfig(map="masking")))
    plain, mapped = (axes.child_axes for axes in figure.axes[1:3])
    assert [len(inset.images) for inset in (*plain, *mapped)] == [1] * 12 + [2] * 12
    assert len({(inset.images[1].norm.vmin, inset.images[1].norm.vmax) for inset in mapped}) == 1
    assert any("what showing the patch adds" in text for text in saved(figure))


def test_a_short_event_is_not_lost_in_a_long_video(saved):
    figure = classes_over_time_figure(video_classes(2000))
    heat = figure.axes[0].collections[0].get_array()
    assert heat.shape == (10, 500)
    assert heat[0].max() == 100.0
    assert any("a column is the maximum of 4 moments" in text for text in saved(figure))


def test_curves_are_over_epochs(saved):
    rows = [
        {"kind": kind, "step": epoch, "loss": 1 / epoch, "held_out_score": epoch / 10}
        for kind in ("learning_rate_0.001", "train")
        for epoch in (1, 2, 3)
    ]
    texts = saved(classifier_curves(rows))
    assert {"Training of the classifier", "epoch", "loss", "held out score"} <= set(texts)
    assert "step" not in texts


def test_names_that_cannot_be_drawn_are_shortened_or_marked():
    assert drawable("Bütow 音") == "Bütow ?"
    assert drawable("x" * 40, max_letters=32) == "x" * 31 + "…"

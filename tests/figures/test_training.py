"""Curves of training."""

import numpy as np
import pytest

from cavmae_sync.figures import curve_figure, training_curves


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
    with pytest.raises(ValueError, match="1 rows of the log hold no number"):
        training_curves([{"kind": "train", "step": 1, "epoch": 0.1}])

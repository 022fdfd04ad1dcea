"""Figure of the lag: what its lines are."""

import numpy as np

from cavmae_sync.figures.alignment import lag_figure


def test_one_panel_for_each_length_and_one_line_for_each_rule():
    figure = lag_figure(
        np.linspace(0, 9.96, 16).tolist(), num_spectrogram_frames=998, segment_lengths=[96, 416]
    )
    assert len(figure.axes) == 2
    for panel, num_different in zip(figure.axes, (16, 11), strict=True):
        lines = {str(line.get_label()).split(":")[0]: line for line in panel.get_lines()}
        assert set(lines) == {"padded", "valid", "centered"}
        assert np.abs(lines["centered"].get_ydata()).max() < 0.006
        assert np.abs(lines["valid"].get_ydata()).max() > 0.4
        assert str(lines["padded"].get_label()).endswith(f"{num_different} of 16 segments differ")

"""Figures of tables."""

import numpy as np
from matplotlib.collections import LineCollection

from cavmae_sync.figures.tables import Series, table_figure


def test_a_table_shows_its_last_row_also_without_a_bar():
    figure = table_figure([Series(name="R@1", values=[[0.2], []])], rows=["a", "b"], title="t")
    assert figure.axes[0].get_ylim() == (1.5, -0.5)


def test_an_untrained_model_is_a_grey_line_in_its_row():
    untrained = Series(name="R@1", values=[[0.2], [0.4]], untrained=[[], [0.1, 0.3]])
    figure = table_figure([untrained], rows=["a", "b"], title="t")
    (lines,) = [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]
    assert np.allclose(lines.get_segments()[-1], [[20, 0.6], [20, 1.4]])
    assert "untrained" in figure.axes[0].get_xlabel()
    plain = table_figure([Series(name="R@1", values=[[0.2]])], rows=["a"], title="t")
    assert "untrained" not in plain.axes[0].get_xlabel()

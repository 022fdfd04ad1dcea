"""Figures of tables."""

from cavmae_sync.figures.tables import Series, table_figure


def test_a_table_shows_its_last_row_also_without_a_bar():
    figure = table_figure([Series(name="R@1", values=[[0.2], []])], rows=["a", "b"], title="t")
    assert figure.axes[0].get_ylim() == (1.5, -0.5)

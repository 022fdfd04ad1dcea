"""A page is one file, and its tables can be read where there is room for one column only."""

from pathlib import Path

import pytest

from cavmae_sync.figures.page import Section, write_page
from cavmae_sync.figures.style import new_figure


@pytest.fixture
def page(tmp_path: Path) -> str:
    table = Section(
        title="Numbers <now>",
        header=["", "this model", "guessing"],
        rows=[["sound & picture", "12.0 %", "0.5 %"]],
    )
    figures = Section(
        title="Figures", figures=[(new_figure(width_inches=2, height_inches=1), 'a "small" one')]
    )
    write_page(tmp_path / "page.html", title="T", lead="L", sections=[table, figures], footer="F")
    return (tmp_path / "page.html").read_text("utf-8")


def test_every_cell_says_which_column_it_is_of(page: str):
    assert '<td data-name="">sound &amp; picture</td>' in page
    assert '<td class="number" data-name="this model">12.0 %</td>' in page
    assert '<th class="number">guessing</th>' in page
    assert "content: attr(data-name)" in page


def test_it_needs_nothing_from_elsewhere(page: str):
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page
    assert "<script" not in page


def test_texts_are_escaped(page: str):
    assert "Numbers &lt;now&gt;" in page
    assert 'alt="a &quot;small&quot; one"' in page

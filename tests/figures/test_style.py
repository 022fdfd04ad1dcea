"""Style of figures: marks of time, and names as they are."""

import pytest

from cavmae_sync.figures.style import new_figure, time_axis


@pytest.mark.parametrize(
    ("stop", "marks"), [(3.0, ["0:00", "0:00.5", "0:01"]), (800.0, ["0:00", "2:00", "4:00"])]
)
def test_marks_of_time_are_those_of_a_player(stop, marks):
    axes = new_figure(width_inches=4, height_inches=1).subplots()
    time_axis(axes, 0.0, stop)
    places = [place for place in axes.xaxis.get_major_locator()() if place >= 0]
    assert [axes.xaxis.get_major_formatter()(place, None) for place in places][:3] == marks


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

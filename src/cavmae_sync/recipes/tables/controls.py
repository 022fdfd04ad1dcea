"""Untrained models, beside which the rows of a table are read."""

from dataclasses import replace
from functools import cache

from cavmae_sync.recipes.pretraining import RECIPES
from cavmae_sync.recipes.tables.table_spec import Measurement, Row, TableSpec


def with_controls(table: TableSpec) -> TableSpec:
    """Table with untrained models as further rows.

    The control of a row is its model before the first step, measured in the same way: another kind of tokens,
    number of frames or length of sound can tell more or less before anything is learned. Rows whose models
    begin alike and are measured alike share one; it is called after the first of them.
    """
    first: dict[tuple[str, int | None, Measurement], Row] = {}
    for row in table.rows:
        first.setdefault(_beginning(row), row)
    controls = {
        beginning: Row(
            name="untrained" if len(first) == 1 else f"{row.name}, untrained",
            training=replace(row.training, recipe=_plainest_recipe(row.training.recipe), is_untrained=True),
            measurement=row.measurement,
        )
        for beginning, row in first.items()
    }
    trained = [replace(row, control=controls[_beginning(row)].name) for row in table.rows]
    return replace(table, rows=[*trained, *controls.values()])


def _beginning(row: Row) -> tuple[str, int | None, Measurement]:
    """What the cells of a row's untrained model depend on."""
    return _plainest_recipe(row.training.recipe), row.training.segment_length, row.measurement


@cache
def _plainest_recipe(name: str) -> str:
    """The recipe of the shortest name with the same model: its untrained cells serve all tables."""
    model = RECIPES[name]().model
    return min(
        (other for other, recipe in RECIPES.items() if recipe().model == model),
        key=lambda other: (len(other), other),
    )

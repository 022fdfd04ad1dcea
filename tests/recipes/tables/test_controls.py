"""Each row has a control of its own kind: the model it begins as, measured as it is."""

from typing import Any

import pytest

from cavmae_sync.recipes.tables.claims import CLAIMS
from cavmae_sync.recipes.tables.controls import with_controls
from cavmae_sync.recipes.tables.judgement import judge
from cavmae_sync.recipes.tables.page import controls_of, judged_claims
from cavmae_sync.recipes.tables.paper_tables import TABLES, find_table
from cavmae_sync.recipes.tables.table_spec import Row


def control_names(table: str) -> dict[str, str | None]:
    return {
        row.name: row.control for row in with_controls(TABLES[table]).rows if not row.training.is_untrained
    }


def test_rows_that_begin_alike_and_are_measured_alike_share_a_control():
    assert set(control_names("table8").values()) == {"untrained"}
    assert control_names("table4") == {
        "CAV-MAE (base)": "CAV-MAE (base), untrained",
        "Scale+": "CAV-MAE (base), untrained",
        "Scale++": "CAV-MAE (base), untrained",
        "Scale++*": "Scale++*, untrained",  # 16 frames
        "Scale+++": "Scale++*, untrained",
        "Ours": "Ours, untrained",
    }


def test_what_a_probe_reads_is_another_control():
    """A probe of pictures alone may be above chance, and below an untrained one of both."""
    rows = {row.name: row for row in with_controls(TABLES["table10"]).rows}
    assert control_names("table10") == {
        name: f"{name}, untrained" for name in ("audio only", "video only", "audio-visual")
    }
    assert rows["video only, untrained"].measurement == rows["video only"].measurement
    assert rows["video only, untrained"].training.is_untrained


def test_lengths_of_sound_are_other_models():
    assert len(set(control_names("figure4").values())) == len(TABLES["figure4"].rows)
    assert len(set(control_names("windows").values())) == len(TABLES["windows"].rows)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_row_has_a_control_that_is_a_row_measured_in_the_same_way(name: str):
    table = with_controls(TABLES[name])
    rows: dict[str, Row] = {row.name: row for row in table.rows}
    assert len(rows) == len(table.rows)
    for row in TABLES[name].rows:
        control = rows[rows[row.name].control or ""]
        assert control.training.is_untrained
        assert control.measurement == row.measurement


def test_one_row_alone_has_the_control_it_has_among_others():
    table = with_controls(find_table("table10", rows=["video only"]))
    assert [row.name for row in table.rows] == ["video only", "untrained"]
    assert table.rows[1].measurement == table.rows[0].measurement


def stored(*, names_controls: bool) -> dict[str, Any]:
    """Table 10: pictures alone tell less than an untrained model of both, and more than one of pictures."""

    def row(name: str, *values: float, control: str | None = None) -> dict[str, Any]:
        by_seed = {str(seed): value for seed, value in enumerate(values)}
        found = {"name": name, "measured": {"stage probe mAP": {"by_seed": by_seed}}}
        return found | ({"control": control} if names_controls else {})

    own = [row(f"{name}, untrained", 0.1, 0.11, 0.1) for name in ("audio only", "video only")]
    return {
        "table": "table10",
        "rows": [
            row("audio only", 0.5, 0.51, 0.52, control="audio only, untrained"),
            row("video only", 0.25, 0.26, 0.27, control="video only, untrained"),
            row("audio-visual", 0.2, 0.21, 0.2, control="untrained"),
            *(own if names_controls else []),
            row("untrained", 0.3, 0.31, 0.3),
        ],
    }


def test_a_row_is_judged_beside_its_own_control():
    table = stored(names_controls=True)
    assert controls_of(table)["video only"] == "video only, untrained"
    (judged,) = judged_claims(table)
    less_than_audio, less_than_video = judged.comparisons
    assert [each.finding for each in judged.comparisons] == ["the opposite", "the opposite"]
    assert less_than_audio.worse_above_untrained is not None
    assert less_than_video.worse_above_untrained is not None
    assert less_than_video.worse_above_untrained.mean == pytest.approx(0.26 - 0.31 / 3)


def test_tables_stored_before_rows_named_controls_have_one_for_all():
    table = stored(names_controls=False)
    assert set(controls_of(table).values()) == {"untrained"}
    (judged,) = judged_claims(table)
    assert judged.comparisons[1].finding == "not above the untrained model"


def test_without_controls_nothing_is_said_of_them():
    table = stored(names_controls=False)
    table["rows"] = [row for row in table["rows"] if row["name"] != "untrained"]
    assert controls_of(table) == {}
    (claim,) = CLAIMS["table10"]
    assert judge(claim, {}, {}).comparisons[0].finding == "not measured"

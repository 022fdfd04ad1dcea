"""Each row has a control of its own kind: the model it begins as, measured as it is."""

from typing import Any

import pytest
from matplotlib.collections import LineCollection

from cavmae_sync.recipes.tables import page
from cavmae_sync.recipes.tables.claims import Claim, Comparison
from cavmae_sync.recipes.tables.controls import with_controls
from cavmae_sync.recipes.tables.judgement import judge
from cavmae_sync.recipes.tables.page import controls_of, judged_claims, measured_of, section_figure
from cavmae_sync.recipes.tables.paper_tables import TABLES, find_table
from cavmae_sync.recipes.tables.table_result import Cell, ReproduceConfig, TableResult
from cavmae_sync.recipes.tables.table_spec import Row
from cavmae_sync.recipes.tables.text import to_dict, to_figure


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


def test_rows_have_the_same_control_alone_and_among_others_in_every_table():
    """So its cells are found again, whichever rows and tables it was measured for."""
    alone = with_controls(find_table("table8", rows=["0.9"]))
    assert [row.name for row in alone.rows] == ["0.9", "untrained"]
    beginnings = [table.rows[-1].training for table in (alone, with_controls(TABLES["table8"]))]
    assert {training.name for training in beginnings} == {"sync_base-untrained"}
    assert beginnings[0].name == with_controls(TABLES["sync_plus"]).rows[-2].training.name
    of_cavmae = {
        row.training.name for row in with_controls(TABLES["table4"]).rows if row.training.is_untrained
    }
    assert of_cavmae == {"cavmae_base-untrained", "sync_base-untrained"}


def stored(*, controls_are_measured: bool = True) -> dict[str, Any]:
    """Table 10: pictures alone tell less than an untrained model of both, and more than one of pictures."""

    def row(name: str, *values: float, control: str | None = None) -> dict[str, Any]:
        by_seed = {str(seed): value for seed, value in enumerate(values)}
        return {"name": name, "control": control, "measured": {"stage probe mAP": {"by_seed": by_seed}}}

    own = [0.1, 0.11, 0.1] if controls_are_measured else []
    return {
        "table": "table10",
        "rows": [
            row("audio only", 0.5, 0.51, 0.52, control="audio only, untrained"),
            row("video only", 0.25, 0.26, 0.27, control="video only, untrained"),
            row("audio-visual", 0.2, 0.21, 0.2, control="audio-visual, untrained"),
            row("audio only, untrained", *own),
            row("video only, untrained", *own),
            row("audio-visual, untrained", 0.3, 0.31, 0.3),
        ],
    }


def test_a_row_is_judged_beside_its_own_control():
    (judged,) = judged_claims(stored())
    _, less_than_video = judged.comparisons
    assert [each.finding for each in judged.comparisons] == ["the opposite", "the opposite"]
    assert less_than_video.worse_above_untrained is not None
    assert less_than_video.worse_above_untrained.mean == pytest.approx(0.26 - 0.31 / 3)


def test_a_control_that_is_still_to_be_measured_confirms_and_refutes_nothing():
    """Controls are measured last: a table that was stopped before has claims without them."""
    (judged,) = judged_claims(stored(controls_are_measured=False))
    assert {each.finding for each in judged.comparisons} == {"untrained model not measured"}
    better = stored(controls_are_measured=False)
    for row in better["rows"][:2]:
        row["measured"]["stage probe mAP"]["by_seed"] = {"0": 0.01, "1": 0.011, "2": 0.01}
    (judged,) = judged_claims(better)
    assert judged.verdict == "not confirmed here"


def test_without_controls_nothing_is_said_of_them():
    """As at the published size."""
    table = stored()
    table["rows"] = [row | {"control": None} for row in table["rows"][:3]]
    assert controls_of(table) == {}
    (judged,) = judged_claims(table)
    assert [each.finding for each in judged.comparisons] == ["the opposite", "the opposite"]


def test_figures_show_controls_in_grey_and_not_as_rows():
    axes = section_figure(stored() | {"title": "t", "config": ReproduceConfig().model_dump()}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "audio only",
        "video only",
        "audio-visual",
    ]
    (lines,) = [each for each in axes.collections if isinstance(each, LineCollection)]
    assert [round(segment[0][0], 1) for segment in lines.get_segments()] == [10.3, 10.3, 30.3]


def test_what_is_stored_names_the_controls():
    """Cells by row, and back from JSON."""
    table = with_controls(TABLES["table10"])
    result = TableResult(
        table=table,
        config=ReproduceConfig(),
        columns=("stage probe mAP",),
        cells={(row.name, "stage probe mAP"): Cell(by_seed={0: 0.5}) for row in table.rows},
    )
    assert controls_of(to_dict(result)) == control_names("table10")
    (axes,) = to_figure(result).axes
    assert len(axes.get_yticklabels()) == 3


def test_a_gain_is_what_a_row_has_above_its_own_control():
    """By hand: sounds 0.51 - 0.103, pictures 0.26 - 0.103, both 0.203 - 0.303."""
    gain = Claim(
        text="Training gives most in sounds, less in pictures, least in both.",
        source="Table 0",
        comparisons=tuple(
            Comparison(better=better, worse=worse, heading="stage probe mAP", is_gain=True)
            for better, worse in (("audio only", "video only"), ("video only", "audio-visual"))
        ),
    )
    judged = judge(gain, measured_of(stored()), controls_of(stored()))
    differences = [each.difference.mean for each in judged.comparisons if each.difference is not None]
    assert differences == pytest.approx([0.51 - 0.26, (0.26 - 0.31 / 3) - (0.61 / 3 - 0.91 / 3)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "CLAIMS", {"table10": (gain,)})
        other = stored(controls_are_measured=False) | {"title": "other settings"}
        (asked,) = judged_claims(stored(), page=[stored(), other])
        assert asked.verdict == "confirmed here"
        assert judged_claims(other, page=[stored(), other]) == [], "the first one answers it"
    unmeasured = stored(controls_are_measured=False)
    assert judge(gain, measured_of(unmeasured), controls_of(unmeasured)).verdict == "cannot be tested here"

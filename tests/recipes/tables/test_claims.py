"""Claims are judged by intervals over paired seeds, and every one names rows and columns that exist."""

import json
from pathlib import Path
from typing import Any

import pytest

from cavmae_sync.recipes.tables.claims import CLAIMS, Claim, Comparison
from cavmae_sync.recipes.tables.judgement import judge
from cavmae_sync.recipes.tables.page import (
    claims_overview,
    count_verdicts,
    measured_of,
    section_figure,
    table_section,
)
from cavmae_sync.recipes.tables.paper_tables import TABLES
from cavmae_sync.recipes.tables.stage_cells import KNOWLEDGE_HEADINGS, MAP_HEADINGS, STATE_HEADINGS

COLUMNS = {"stage R@1", "stage probe mAP", *KNOWLEDGE_HEADINGS, *MAP_HEADINGS, *STATE_HEADINGS}
RECALL = "stage R@1"
CLAIM = Claim(
    text="A finds more than B.",
    source="Table 0",
    comparisons=(Comparison(better="A", worse="B", heading=RECALL),),
)


def measured(**rows: list[float]) -> dict[str, dict[str, dict[int, float]]]:
    return {name: {RECALL: dict(enumerate(values))} for name, values in rows.items()}


def test_every_claim_names_rows_and_columns_of_its_table():
    for name, claims in CLAIMS.items():
        rows = {row.name for row in TABLES[name].rows}
        for claim in claims:
            for each in claim.comparisons:
                assert {each.better, each.worse} <= rows, claim.text
                assert {each.heading, each.other_heading or each.heading} <= COLUMNS, claim.text


@pytest.mark.parametrize(
    ("first", "second", "untrained", "verdict", "finding"),
    [
        ([0.5, 0.6, 0.55], [0.1, 0.2, 0.16], [0.0, 0.01, 0.0], "confirmed here", "as claimed"),
        ([0.1, 0.2, 0.16], [0.5, 0.6, 0.55], [0.0, 0.01, 0.0], "not confirmed here", "the opposite"),
        (
            [0.5, 0.6, 0.4],
            [0.4, 0.6, 0.5],
            [0.0, 0.01, 0.0],
            "not confirmed here",
            "not shown, 0 lies in the interval",
        ),
        (
            [0.012, 0.013, 0.014],
            [0.002, 0.003, 0.004],
            [0.014, 0.013, 0.012],
            "not confirmed here",
            "not above the untrained model",
        ),
        (
            [0.002, 0.003, 0.001],
            [0.005, 0.006, 0.004],
            [0.001, 0.009, 0.002],
            "not confirmed here",
            "not above the untrained model",
        ),
        ([0.5], [0.1], [0.0], "not confirmed here", "too few to tell"),
        (
            [0.5, 0.6, 0.55],
            [0.1, 0.2, 0.16],
            [0.1],
            "not confirmed here",
            "too few seeds of the untrained model",
        ),
        ([], [0.1, 0.2], [0.0, 0.0], "cannot be tested here", "not measured"),
    ],
)
def test_verdicts(
    first: list[float], second: list[float], untrained: list[float], verdict: str, finding: str
):
    judged = judge(
        CLAIM, measured(A=first, B=second, untrained=untrained), {"A": "untrained", "B": "untrained"}
    )
    assert judged.verdict == verdict
    assert judged.comparisons[0].finding == finding


def test_every_comparison_of_a_claim_has_to_hold():
    both = Claim(
        text="A finds more than B and C.",
        source="Table 0",
        comparisons=(*CLAIM.comparisons, Comparison(better="A", worse="C", heading=RECALL)),
    )
    cells = measured(A=[0.5, 0.6, 0.55], B=[0.1, 0.2, 0.16], C=[0.5, 0.6, 0.56])
    assert judge(both, cells, {}).verdict == "not confirmed here"


def test_a_better_map_that_does_not_hear_confirms_nothing():
    """What finds as much with the sound of another class is striking, whatever is heard."""
    claim = CLAIMS["table8"][3]
    assert claim.text == "A mask ratio of 0.9 helps localisation."

    def cells(*, swapped: list[float]) -> dict[str, dict[str, dict[int, float]]]:
        better = {
            "cosine mIoU": [0.28, 0.29, 0.30],
            "cosine mAP": [0.49, 0.50, 0.51],
            "cosine mAP, swapped sound": swapped,
        }
        rows = {"0.9": better, "0.75": {"cosine mIoU": [0.19, 0.20, 0.22]}}
        return {
            row: {heading: dict(enumerate(values)) for heading, values in of.items()}
            for row, of in rows.items()
        }

    assert judge(claim, cells(swapped=[0.30, 0.31, 0.31]), {}).verdict == "confirmed here"
    assert judge(claim, cells(swapped=[0.50, 0.51, 0.50]), {}).verdict == "not confirmed here"


def stored() -> dict[str, Any]:
    """A table as `reproduce` writes it, with three seeds of two rows."""

    def cell(*values: float) -> dict[str, Any]:
        return {"mean": 0, "by_seed": {str(seed): value for seed, value in enumerate(values)}}

    def row(name: str, *values: float, trained: bool = True) -> dict[str, Any]:
        cost = {"num_steps": 1800, "operations": 2 * 10**12, "processor_seconds": {"0": 100.0, "1": 110.0}}
        return {
            "name": name,
            "control": "untrained" if trained else None,
            "measured": {RECALL: cell(*values)},
            "cost": cost if trained else None,
        }

    return {
        "table": "table11",
        "title": "Table 11: aggregations",
        "note": "",
        "config": {
            "scale": "stage",
            "num_train_clips": 1000,
            "num_test_clips": 1000,
            "variant": "bind",
            "budget": "epochs",
            "precision": "bfloat16",
            "num_epochs": 120,
        },
        "rows": [
            row("diag mean", 0.5, 0.6, 0.55),
            row("block mean", 0.1, 0.2, 0.16),
            row("untrained", 0.001, 0.0, 0.001, trained=False),
        ],
    }


def test_what_one_setting_of_a_table_cannot_test_is_left_to_the_other():
    """A claim that neither can test is said of both."""
    few = json.loads(json.dumps(stored())) | {"title": "Table 11, few rows"}
    few["rows"] = [row for row in few["rows"] if row["name"] != "block mean"]
    whole = stored()
    assert count_verdicts([few]) == {"cannot be tested here": 2}
    assert count_verdicts([whole]) == {"cannot be tested here": 1, "confirmed here": 1}
    assert count_verdicts([few, whole]) == {"cannot be tested here": 2, "confirmed here": 1}
    assert claims_overview([few, whole]).count("better than that of the whole matrix") == 1


def test_a_section_says_what_was_claimed_measured_and_how_to_get_a_row(tmp_path: Path):
    table = json.loads(json.dumps(stored()))
    text = table_section(table, figure="figure.png")
    assert "The mean of the diagonal is better than that of the whole matrix. (Table 11)" in text
    assert "**confirmed here** | stage R@1: +39.7" in text
    assert "**cannot be tested here**" in text  # two rows of the other claim are missing
    assert "| diag mean | 55.0 ± 12.4 | 1,800 | 2.0 | 105 |" in text
    assert 'cavmae-sync reproduce table11 --row "diag mean" --seeds 0 precision=bfloat16' in text
    assert count_verdicts([table]) == {"cannot be tested here": 1, "confirmed here": 1}
    overview = claims_overview([table])
    assert "that of the whole matrix. | confirmed | Table 11 (bfloat16) |" in overview
    assert measured_of(table)["untrained"][RECALL] == {0: 0.001, 1: 0.0, 2: 0.001}
    section_figure(table).savefig(tmp_path / "figure.png")
    for row in table["rows"]:
        row["measured"][RECALL]["by_seed"] = {"0": row["measured"][RECALL]["by_seed"]["0"], "1": 0.0}
    assert "whole matrix. | not confirmed, too few seeds | Table 11 (bfloat16) |" in claims_overview([table])

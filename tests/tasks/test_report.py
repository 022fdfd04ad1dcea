import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cavmae_sync.tasks import Report, Value
from cavmae_sync.tasks.retrieval import RetrievalConfig


def printed(renderable, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def small_report(**changes):
    fields = {
        "name": "retrieval",
        "metrics": {
            "audio_to_visual/recall_at_1": Value(value=0.352, low=0.33, high=0.374, chance=1 / 1545),
            "audio_to_visual/median_rank": Value(value=3, low=2.5, high=4, chance=773, unit="rank"),
            "visual_to_audio/recall_at_1": Value(value=0.25),
        },
        "counts": {"queries": 1545, "gallery": 1545},
        "config": RetrievalConfig(),
        "made_with": {"model": {"width": 768}},
        "weights": "a" * 64,
        "clip_list": "b" * 64,
    }
    return Report(**{**fields, **changes})


def test_values_are_fractions_and_become_percent_when_printed():
    report = small_report()
    assert report.to_dict()["metrics"]["audio_to_visual/recall_at_1"]["value"] == 0.352
    text = printed(report.to_table())
    for expected in (
        "audio to visual",
        "recall at 1",
        "35.2 %",
        "33.0 to 37.4 %",
        "0.0647 %",
        "2.5 to 4",
        "1545 queries, 1545 gallery, 0 substitutions",
        "aggregation diagonal_mean",
        "weights aaaaaaaaaaaa, clip list bbbbbbbbbbbb",
    ):
        assert expected in text
    assert "768" not in text


def test_a_narrow_terminal_still_shows_every_number():
    text = printed(small_report().to_table(), width=60)
    assert "35.2 %" in text
    assert "25.0 %" in text


def test_json_is_complete_and_finite():
    found = json.loads(small_report().to_json())
    assert set(found) == {"name", "metrics", "counts", "config", "weights", "clip_list"}
    assert found["metrics"]["visual_to_audio/recall_at_1"]["low"] is None
    assert found["config"]["model"] == {"width": 768}


def test_no_data_are_ever_replaced():
    assert small_report().to_dict()["counts"]["substitutions"] == 0


def test_percent_and_half_an_interval_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\], got 35.2"):
        Value(value=35.2)
    with pytest.raises(ValueError, match=r"two ends, got low=0\.1 and high=None"):
        replace(Value(value=0.2), low=0.1)


@pytest.mark.parametrize(
    ("value", "text", "interval"),
    [
        (Value(value=0.352, low=0.33, high=0.374), "35.2 %", "33.0 to 37.4 %"),
        (Value(value=3, low=2.5, high=4, unit="rank"), "3", "2.5 to 4"),
        (Value(value=29, low=24.9875, high=12345.5, unit="rank"), "29", "25 to 12345.5"),
        (Value(value=1.25, low=1.0, high=1.5, unit="seconds"), "1.25 s", "1.00 to 1.50 s"),
        (Value(value=-0.4171, low=-0.5, high=0.0, unit="score"), "-0.417", "-0.500 to 0.000"),
    ],
)
def test_each_unit_is_printed_in_its_own_way(value, text, interval):
    assert value.text() == text
    assert value.interval_text() == interval


def test_what_is_undefined_is_left_out_not_reported():
    with pytest.raises(ValueError, match="finite number, got nan"):
        Value(value=float("nan"), unit="score")

"""A report as Markdown for a model card."""

from typing import Any

import pytest

from cavmae_sync.config import Config
from cavmae_sync.errors import ConfigError
from cavmae_sync.tasks import Report
from cavmae_sync.tasks.card_results import results_markdown
from cavmae_sync.tasks.report import Value

OURS, OTHERS = "a" * 64, "b" * 64


def report(weights: str = OURS, **changes: Any) -> dict[str, Any]:
    metrics = {
        "audio_to_visual/R@1": Value(value=0.25, low=0.2, high=0.3, chance=0.01),
        "median_rank": Value(value=7, unit="rank"),
    }
    made = Report(
        name="retrieval", metrics=metrics, counts={"queries": 100}, config=Config(),
        weights=weights, clip_list="c" * 64,
    )  # fmt: skip
    return made.to_dict() | changes


def test_one_row_for_each_metric_and_what_they_rest_on():
    lines = results_markdown(report(), weights=OURS).splitlines()
    assert lines[0] == "### retrieval"
    assert "| audio to visual/R@1 | 25.0 % | 20.0 to 30.0 % | 1 % |" in lines
    assert "| median rank | 7 |  |  |" in lines
    assert lines[-1] == f"100 queries, 0 substitutions; clip list `{'c' * 64}`, weights `{OURS[:12]}`."


def test_controls_come_with_their_names():
    found = results_markdown({"model": report(), "untrained": report(OTHERS)}, weights=OURS)
    assert "### retrieval: model" in found
    assert "### retrieval: untrained" in found


def test_a_report_of_other_weights_is_refused():
    with pytest.raises(ConfigError, match=r"is of other weights \(bbbbbbbbbbbb\) than these \(aaaa"):
        results_markdown(report(OTHERS), weights=OURS)


@pytest.mark.parametrize("content", [{}, {"model": {}}, {"metrics": 3}])
def test_what_is_no_report_is_refused(content: dict[str, Any]):
    with pytest.raises(ConfigError, match="is not a report"):
        results_markdown(content, weights=OURS)


@pytest.mark.parametrize("metric", [{"value": 2.0}, {"valeu": 0.1}, {"value": float("nan")}])
def test_a_metric_that_was_changed_by_hand_is_refused(metric: dict[str, Any]):
    with pytest.raises(ConfigError, match="'retrieval' is damaged"):
        results_markdown(report(metrics={"R@1": metric}), weights=OURS)

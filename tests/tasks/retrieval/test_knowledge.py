"""What a model knows, in numbers and words: paired differences, and a verdict for every case."""

import json

import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.figures import figure_pixels
from cavmae_sync.metrics import bootstrap_means, interval
from cavmae_sync.tasks.retrieval import RetrievalConfig, retrieval_report, retrieval_shuffled
from cavmae_sync.tasks.retrieval.controls import Controls
from cavmae_sync.tasks.retrieval.cue_baselines import compare_curves
from cavmae_sync.tasks.retrieval.knowledge import knowledge
from cavmae_sync.tasks.retrieval.knowledge_figure import knowledge_figure
from cavmae_sync.tasks.retrieval.knowledge_table import knowledge_dict, knowledge_table
from cavmae_sync.tasks.retrieval.verdict import verdicts

from .conftest import unit_rows

CONFIG = RetrievalConfig(num_bootstrap=200)
N, T = 60, 8


def noise_report(make_embeddings, seed=5):
    return retrieval_report(
        make_embeddings(unit_rows(N, T, 16, seed=seed), unit_rows(N, T, 16, seed=seed + 1)), CONFIG
    )


def useless_rule():
    generator = torch.Generator().manual_seed(0)
    curves = torch.randn(2, N, T, generator=generator)
    return compare_curves(curves[0][:, None], curves[1])


def answers(report, **controls) -> dict[str, str]:
    return {each.measure: each.answer for each in verdicts(knowledge(report, Controls(**controls)))}


@pytest.fixture
def when_report(make_embeddings):
    """A model of moments: every clip shows the same eight states in an order of its own."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.eye(T)[torch.stack([torch.randperm(T, generator=generator) for _ in range(N)])]
    return retrieval_report(make_embeddings(vectors, vectors), CONFIG)


@pytest.fixture
def controls_of(make_embeddings):
    def controls(report, **more):
        reports = {"untrained": noise_report(make_embeddings), "shuffled": retrieval_shuffled(report)}
        return {"reports": reports, "baselines": {"a against b": useless_rule()}} | more

    return controls


def test_a_model_of_moments_has_when_and_moment_and_no_what(when_report, controls_of):
    found = answers(when_report, **controls_of(when_report))
    assert found == {"both": "yes", "what": "no", "when": "yes", "moment": "yes"}


def test_a_model_of_clips_has_what(make_embeddings, controls_of):
    clip = unit_rows(N, 1, 64)
    sounds, frames = (F.normalize(clip + 0.5 * unit_rows(N, T, 64, seed=seed), dim=-1) for seed in (1, 2))
    report = retrieval_report(make_embeddings(sounds, frames), CONFIG)
    found = answers(report, **controls_of(report))
    assert (found["both"], found["what"], found["moment"]) == ("yes", "yes", "no")


def test_a_rule_that_learns_nothing_and_is_as_good_explains_the_number(when_report, controls_of):
    curves = torch.randn(N, T, generator=torch.Generator().manual_seed(3))
    rule = {"loudness against brightness": compare_curves(curves[:, None], curves)}
    known = knowledge(when_report, Controls(**controls_of(when_report, baselines=rule)))
    by_measure = {each.measure: each for each in verdicts(known)}
    assert by_measure["both"].answer == "explained"
    line = by_measure["both"].line()
    assert line.startswith("both: not shown. 100.0 %")
    assert "loudness against brightness, which learns nothing, reaches 100.0 %" in line
    assert "this recall does not show that the model knows what belongs together" in line


def test_place_in_the_clip_is_no_synchrony(make_embeddings, controls_of):
    """All clips have the same vectors at the same time: right within the clip, and with another clip too."""
    places = torch.eye(T).expand(N, -1, -1)
    report = retrieval_report(make_embeddings(places, places), CONFIG)
    known = knowledge(report, Controls(**controls_of(report)))
    moment = next(each for each in verdicts(known) if each.measure == "moment")
    assert moment.answer == "explained"
    assert "with the frames of another clip it stays (100.0 %)" in moment.text
    assert "no synchrony" in moment.text


def test_a_linear_fit_that_is_as_good_is_named(when_report, controls_of):
    known = knowledge(
        when_report, Controls(**controls_of(when_report, fitted={"linear fit of x": when_report.measures}))
    )
    when = next(each for each in verdicts(known) if each.measure == "when")
    assert when.answer == "explained"
    assert "no more than a linear fit" in when.text


def test_without_controls_the_text_says_what_is_missing(when_report, make_embeddings):
    found = {each.measure: each for each in verdicts(knowledge(when_report, Controls()))}
    assert found["when"].answer == "unchecked"
    assert "Not compared with an untrained model and rules that learn nothing." in found["when"].text
    no_intervals = retrieval_report(when_report.embeddings, RetrievalConfig(num_bootstrap=0))
    assert verdicts(knowledge(no_intervals, Controls())) == ()


def test_own_clips_at_the_second_place_are_a_trace(make_embeddings):
    """Each sound fits another clip a little better than its own: no first answer is right."""
    axes = torch.eye(N)
    frames = axes[:, None].repeat(1, T, 1)
    sounds = F.normalize(axes.roll(1, dims=0) + 0.8 * axes, dim=-1)[:, None].repeat(1, T, 1)
    known = knowledge(retrieval_report(make_embeddings(sounds, frames), CONFIG), Controls())
    what = next(each for each in verdicts(known) if each.measure == "what")
    assert what.answer == "trace"
    assert what.line().startswith("WHAT: a trace. 0.0 %")
    assert "in the median the own clip is at place 2 and 2 (chance 30.5)" in what.text
    perfect = {"linear fit of clip means": retrieval_report(make_embeddings(frames, frames), CONFIG).measures}
    known = knowledge(known.report, Controls(fitted=perfect))
    what = next(each for each in verdicts(known) if each.measure == "what")
    assert what.answer == "explained"
    assert what.text.endswith("But a linear fit of clip means reaches place 1.")


def test_differences_are_paired_and_equal_a_second_implementation(when_report, make_embeddings):
    other = noise_report(make_embeddings)
    known = knowledge(when_report, Controls(reports={"untrained": other}))
    value = known.named("untrained model").minus["when"]
    tables = [
        torch.stack(
            [each.measures.clip_values()[f"when/{d}"] for d in ("audio_to_visual", "visual_to_audio")]
        ).mean(0)
        for each in (when_report, other)
    ]
    draws = bootstrap_means(
        (tables[0] - tables[1])[None], num_resamples=200, generator=torch.Generator().manual_seed(0)
    )
    assert value.value == pytest.approx(float((tables[0] - tables[1]).mean()))
    assert (value.low, value.high) == pytest.approx((interval(draws[0]).low, interval(draws[0]).high))


def test_table_json_and_figure_hold_all_of_it(when_report, controls_of):
    ceiling = {"who sounds": when_report.measures}
    known = knowledge(when_report, Controls(**controls_of(when_report, ceilings=ceiling)))
    content = knowledge_dict(known)
    assert json.loads(json.dumps(content)) == content
    assert [row["name"] for row in content["rows"]] == [
        "model", "untrained model", "frames of another clip", "a against b", "who sounds",
    ]  # fmt: skip
    table = knowledge_table(known)
    assert table.row_count == 1 + 1 + 2 + 2 + 2
    assert figure_pixels(knowledge_figure(known)).std() > 10


def test_one_moment_a_clip_has_bars_and_no_curve(make_embeddings):
    vectors = unit_rows(10, 1, 8)
    known = knowledge(retrieval_report(make_embeddings(vectors, vectors), CONFIG), Controls())
    assert known.measures == ("both",)
    assert len(knowledge_figure(known).axes) == 1

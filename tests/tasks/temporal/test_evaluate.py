"""Evaluation on stage clips: controls at their ends, a model beside them, and the commands."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.temporal.config import TemporalTask
from cavmae_sync.tasks.temporal.evaluate import evaluate_temporal, measure_temporal, temporal_report
from cavmae_sync.tasks.temporal.figure import temporal_report_figure
from cavmae_sync.tasks.temporal.predictions import states_of_clips, temporal_baselines

TASK = TemporalTask(modality="audio", num_bootstrap=50)


def test_controls_stand_where_they_must(prepared: PreparedDataset, stage_folder: Path):
    states = states_of_clips(prepared, StageTruth(stage_folder), modality="audio", min_state_seconds=0.1)
    controls = temporal_baselines(prepared, states, num_spans=[3] * len(prepared))
    reports = {
        name: temporal_report(found, states, prepared, task=TASK, name=name)
        for name, found in controls.items()
    }
    assert {value.value for value in reports["oracle"].metrics.values()} == {1.0}
    assert reports["one_state"].metrics["states/coverage"].value == 1
    assert reports["one_state"].counts["boundaries_predicted"] == 0
    assert "boundaries_within_0.5_s/precision" not in reports["one_state"].metrics
    assert reports["uniform"].counts["boundaries_predicted"] == 2 * len(prepared)
    at_frames = reports["oracle_at_frames"].metrics["states/adjusted_rand_index"].value
    assert 0 < at_frames < 1


def test_a_model_is_measured_beside_its_controls(
    embedder: Embedder, prepared: PreparedDataset, stage_folder: Path
):
    clips = prepared.head(4)
    truth = StageTruth(stage_folder)
    (reports,) = measure_temporal(embedder, clips, truth, tasks=[TASK], with_controls=True)
    assert list(reports) == [
        "model", "untrained", "oracle", "oracle_at_frames", "loudness", "uniform", "one_state",
    ]  # fmt: skip
    alone = evaluate_temporal(embedder, clips, truth, task=TASK)
    assert alone.to_dict() == reports["model"].to_dict()
    assert alone.counts["clips"] == 4
    for report in reports.values():
        for value in report.metrics.values():
            assert value.low is None or value.low <= value.high
    assert len(temporal_report_figure(clips, [alone]).axes) >= 4


def test_no_resamples_give_no_intervals(embedder: Embedder, prepared: PreparedDataset, stage_folder: Path):
    task = TemporalTask(modality="both", num_bootstrap=0)
    report = evaluate_temporal(embedder, prepared.head(2), StageTruth(stage_folder), task=task)
    assert {value.low for value in report.metrics.values()} == {None}


@pytest.fixture
def weights(embedder: Embedder, tmp_path: Path) -> Path:
    from cavmae_sync.weights import save_model

    model = deepcopy(embedder.model)
    torch.nn.init.uniform_(model.joint.norm_a.weight, 0.9, 1.1)  # fresh weights get no score
    save_model(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_the_commands(
    weights: Path,
    prepared_folder: Path,
    stage_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    where = ["--data", str(prepared_folder), "--stage", str(stage_folder), "--num-clips", "2"]
    picture = tmp_path / "bars.png"
    words = ["evaluate", "segment", str(weights), *where, "--all-modalities", "--figure", str(picture)]
    assert run([*words, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"audio", "visual", "both"}
    assert picture.stat().st_size > 10_000

    video = next((stage_folder / "clips").glob("*.mp4"))
    words = ["segment", str(weights), str(video), "--num-frames", "4"]
    out = tmp_path / "segments.csv"
    assert run([*words, "--json", "--csv", str(out), "--figure", str(tmp_path / "one.png")]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = out.read_text("utf-8").splitlines()
    assert rows[0] == "modality,start,stop,label"
    assert len(rows) - 1 == sum(len(one["segments"]) for one in found["modalities"].values())
    assert run(words) == 0
    assert "state" in capsys.readouterr().out

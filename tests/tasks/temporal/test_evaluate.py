"""States of stage clips: the truth by hand, controls at their ends, and the command on real clips."""

import json
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.temporal.baselines import log_energy, loudness_states
from cavmae_sync.tasks.temporal.clustering import Segment, without_short
from cavmae_sync.tasks.temporal.evaluate import (
    TemporalTask,
    evaluate_temporal,
    figure_of_reports,
    measure_temporal,
    states_of_clips,
    temporal_baselines,
    temporal_report,
)
from cavmae_sync.tasks.temporal.text import read_truth
from cavmae_sync.tasks.temporal.truth import states_at_frames, timeline, true_states

TASK = TemporalTask(modality="audio", num_bootstrap=50)


def text(states: tuple[Segment, ...]) -> str:
    """`0-1A 1-3B` for two stretches."""
    return " ".join(f"{s.start_seconds:g}-{s.stop_seconds:g}{s.name}" for s in states)


def short_gone(edges: list[float], labels: list[int], min_seconds: float = 0.5) -> str:
    return text(timeline(*without_short(np.array(edges), np.array(labels), min_seconds=min_seconds)))


def test_a_short_gap_between_equal_states_is_filled():
    assert short_gone([0, 2, 2.3, 5], [0, 1, 0]) == "0-5A"


def test_a_short_state_between_different_ones_is_shared():
    assert short_gone([0, 2, 2.4, 5], [0, 1, 2]) == "0-2.2A 2.2-5B"


def test_short_ends_go_to_their_neighbour():
    assert short_gone([0, 0.2, 3, 3.1], [1, 0, 2]) == "0-3.1A"


def test_what_lasts_long_enough_stays():
    assert short_gone([0, 2, 2.5, 5], [0, 1, 0]) == "0-2A 2-2.5B 2.5-5A"


def test_the_shortest_goes_first_and_one_always_stays():
    assert short_gone([0, 0.1, 0.3], [0, 1]) == "0-0.3A"
    assert short_gone([0, 1, 1.3, 1.7, 3], [0, 1, 0, 1]) == "0-1.7A 1.7-3B"


def made_up_truth() -> Any:
    """Object 1 sounds from 2 to 4 s and is always visible; object 2 is visible from 5 s on."""

    def thing(number: int, visible: list[bool]) -> SimpleNamespace:
        return SimpleNamespace(number=number, is_visible_T=np.array(visible))

    return SimpleNamespace(
        events=[SimpleNamespace(start_seconds=2.0, stop_seconds=4.0)],
        sounding=lambda second: (1,) if 2 <= second < 4 else (),
        objects=[thing(1, [True] * 10), thing(2, [False] * 5 + [True] * 5)],
        frame_seconds_T=np.arange(10.0),
        frame_index=int,
    )


@pytest.mark.parametrize(
    ("modality", "expected"),
    [("audio", "1-2A 2-4B 4-9A"), ("visual", "1-5A 5-9B"), ("both", "1-2A 2-4B 4-5A 5-9C")],
)
def test_true_states_by_hand(modality: Any, expected: str):
    clip: Any = SimpleNamespace(start_seconds=1.0, stop_seconds=9.0)
    assert text(true_states(made_up_truth(), clip, modality=modality)) == expected


def test_states_seen_only_at_frames():
    clip: Any = SimpleNamespace(start_seconds=1.0, stop_seconds=9.0, frame_seconds=(0.0, 2.0, 4.0, 6.0))
    states = true_states(made_up_truth(), clip, modality="audio")
    assert text(states_at_frames(states, clip)) == "1-2A 2-4B 4-9A"


def test_loudness_finds_the_loud_part(prepared: PreparedDataset):
    quiet, loud = np.full((50, 128), -12.0), np.full((50, 128), -2.0)
    energy = log_energy(np.concatenate([quiet, loud]))
    assert energy.shape == (100,)
    assert (energy[:44] < -6).all()
    assert (energy[55:] > 1).all()
    for index in range(len(prepared)):
        row = prepared.row(index)
        states = loudness_states(prepared, index)
        assert (states[0].start_seconds, states[-1].stop_seconds) == (row.start_seconds, row.stop_seconds)


def test_controls_stand_where_they_must(prepared: PreparedDataset, stage_folder: Path):
    states = states_of_clips(prepared, StageTruth(stage_folder), modality="audio", min_state_seconds=0.1)
    controls = temporal_baselines(prepared, states, num_segments=[3] * len(prepared))
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
    assert len(figure_of_reports(clips, [alone]).axes) >= 4


def test_no_resamples_give_no_intervals(embedder: Embedder, prepared: PreparedDataset, stage_folder: Path):
    task = TemporalTask(modality="both", num_bootstrap=0)
    report = evaluate_temporal(embedder, prepared.head(2), StageTruth(stage_folder), task=task)
    assert {value.low for value in report.metrics.values()} == {None}


def test_a_truth_file_is_read_by_time(tmp_path: Path):
    path = tmp_path / "truth.csv"
    path.write_text("start,stop,label\n2,3,dog\n0,2,cat\n3,4,cat\n", encoding="utf-8")
    bar = read_truth(path)
    assert [bar.text(segment) for segment in bar.segments] == ["cat", "dog", "cat"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("from,to\n1,2\n", "no column start, stop, label"),
        ("start,stop,label\n", "no stretches"),
        ("start,stop,label\n1,x,dog\n", "line 2"),
        ("start,stop,label\n1,2,dog\n3,2,dog\n", "line 3"),
    ],
)
def test_a_bad_truth_file_is_refused(tmp_path: Path, content: str, message: str):
    path = tmp_path / "truth.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_truth(path)


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
    words = ["evaluate", "segment", str(weights), *where, "--modality", "all", "--figure", str(picture)]
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

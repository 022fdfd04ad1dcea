"""Evaluation on planted faults, from prepared clips to reports and a figure."""

import json
from pathlib import Path

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.agreement.config import AgreementConfig, PlantedConfig
from cavmae_sync.tasks.agreement.evaluate import evaluate_agreement
from cavmae_sync.tasks.agreement.planted_figure import planted_figure

SHORT = AgreementConfig(
    smooth_seconds=0.25, min_span_seconds=0.25, gap_seconds=0.2, max_lag_seconds=0.5, num_draws=20
)
#: As few videos as a test may have; intervals have tests of their own.
SMALL = PlantedConfig(num_videos=4, clips_per_video=2, num_bootstrap=20)


def test_what_is_left_of_a_file_is_planted_nowhere(stage_folder: Path, tmp_path: Path, embedder):
    """Each file of 1 s gives a clip of 0.6 s and a short one, whose missing sound would count as silence."""
    config = PrepareConfig(frame_pixels=32, num_frames=4, clip_seconds=0.6, min_seconds=0.3)
    prepare(stage_folder / "clips", out=tmp_path, config=config, num_workers=0)
    clips = PreparedDataset.open(tmp_path)
    assert len(clips) == 28
    report = evaluate_agreement(embedder, clips, planted=SMALL, config=SHORT)["model"]
    assert report.made_with["clips_left_out"] == 14
    assert report.counts["reference_clips"] == 14 - 8
    assert report.clip_list == clips.subset(range(0, 28, 2)).list_sha256


def test_from_clips_to_reports_and_a_figure(prepared: PreparedDataset, stage_folder, embedder):
    reports = evaluate_agreement(
        embedder,
        prepared,
        stage=StageTruth(stage_folder),
        with_controls=True,
        planted=SMALL,
        config=SHORT,
    )
    assert list(reports) == ["model", "untrained", "oracle"]
    for report in reports.values():
        content = json.loads(report.to_json())
        assert content["counts"]["substitutions"] == 0
        assert all(
            0 <= value["value"] <= 1 for value in content["metrics"].values() if value["unit"] == "fraction"
        )
        assert "reference/fitting/called_foreign" in content["metrics"]
    assert planted_figure(reports).axes

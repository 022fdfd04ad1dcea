"""The guess without a model: worked by hand, and far above chance on generated clips."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.media import write_video
from cavmae_sync.stage import StageConfig, make_stage
from cavmae_sync.tasks.retrieval.loudness_baseline import correlations, loudness_against_brightness


def test_correlations_worked_by_hand():
    """Rising fits rising (1), not falling (-1); a row that stays fits nothing (0)."""
    rows = np.array([[1.0, 2.0, 3.0], [7.0, 5.0, 3.0], [4.0, 4.0, 4.0]])
    assert correlations(rows, rows).tolist() == [
        [pytest.approx(1), pytest.approx(-1), 0],
        [pytest.approx(-1), pytest.approx(1), 0],
        [0, 0, 0],
    ]


def test_clips_that_flash_when_they_sound_are_all_found(tmp_path: Path):
    """Three clips of one second and four frames, loud and bright in another quarter each."""
    (tmp_path / "videos").mkdir()
    generator = np.random.default_rng(0)
    for clip in range(3):
        frames = np.full((20, 32, 32, 3), 40, dtype=np.uint8)
        sound = 0.001 * generator.standard_normal(16_000).astype(np.float32)
        frames[clip * 5 : clip * 5 + 5] = 220
        sound[clip * 4000 : clip * 4000 + 4000] *= 150
        write_video(tmp_path / "videos" / f"{clip}.mp4", frames, frames_per_second=20, waveform_S=sound)
    config = PrepareConfig(clip_seconds=1.0, num_frames=4, frame_pixels=32)
    prepare(tmp_path / "videos", out=tmp_path / "data", config=config, num_workers=0)
    found = loudness_against_brightness(PreparedDataset.open(tmp_path / "data"))
    assert found["audio_to_visual"].recall_at[1] == 1
    assert found["visual_to_audio"].recall_at[1] == 1


def test_generated_clips_are_found_far_above_chance(tmp_path: Path):
    make_stage(
        tmp_path / "stage", config=StageConfig(variant="easy", frame_pixels=32), num_clips=12, num_workers=1
    )
    prepare(
        tmp_path / "stage" / "clips",
        out=tmp_path / "data",
        config=PrepareConfig(frame_pixels=32),
        num_workers=0,
    )
    found = loudness_against_brightness(PreparedDataset.open(tmp_path / "data"))
    assert min(metrics.recall_at[1] for metrics in found.values()) > 0.5, "chance is 0.08"

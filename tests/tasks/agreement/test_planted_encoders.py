"""Encoders of planted videos: a model, and an oracle that knows the truth."""

import shutil
from pathlib import Path

import numpy as np
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.agreement.planted_encoders import ModelEncoder, OracleEncoder
from cavmae_sync.tasks.agreement.planted_videos import plant_fault


def test_a_model_and_the_oracle_are_asked_the_same(prepared: PreparedDataset, stage_folder, embedder):
    video = plant_fault(
        [0, 1, 2, 3], clip_seconds=1, foreign=[4, 5, 6, 7], fault="silent span",
        generator=np.random.default_rng(1),
    )  # fmt: skip
    oracle = OracleEncoder(StageTruth(stage_folder), prepared, window_seconds=0.16)
    for encoder in (ModelEncoder(embedder, prepared), oracle):
        moments = encoder.video(video)
        assert len(moments.seconds_T) == 16
        assert (moments.loudness_T < -100).any()
        assert len(encoder.clips([3, 1])) == 2


def test_the_oracle_knows_where_in_its_file_a_clip_is(stage_folder: Path, tmp_path: Path):
    """Halves of a file tell what the whole file tells, also between frames of the truth."""
    (tmp_path / "videos").mkdir()
    for video in sorted((stage_folder / "clips").glob("*.mp4"))[:2]:
        shutil.copy(video, tmp_path / "videos")

    def embedded_clips(name: str, **config):
        config = PrepareConfig(frame_pixels=32, sampling="uniform_left", min_seconds=0.3, **config)
        prepare(tmp_path / "videos", out=tmp_path / name, config=config, num_workers=0)
        clips = PreparedDataset.open(tmp_path / name)
        return OracleEncoder(StageTruth(stage_folder), clips, window_seconds=1e-6).clips(range(len(clips)))

    whole = embedded_clips("whole", clip_seconds=1.0, num_frames=10)
    halves = embedded_clips("halves", clip_seconds=0.5, num_frames=5)
    for n in range(2):
        for part in ("audio_TD", "visual_TD"):
            joined_TD = torch.cat([getattr(halves[2 * n], part), getattr(halves[2 * n + 1], part)])
            torch.testing.assert_close(joined_TD, getattr(whole[n], part))

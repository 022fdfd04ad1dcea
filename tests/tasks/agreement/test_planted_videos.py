from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.agreement.planted_encoders import ModelEncoder, OracleEncoder
from cavmae_sync.tasks.agreement.planted_videos import PLANTED_FAULTS, moment_kinds, plant_fault


def planted(fault, *, seed=0):
    return plant_fault(
        [0, 1, 2, 3, 4, 5], clip_seconds=10, foreign=[6, 7, 8, 9, 10, 11], fault=fault,
        generator=np.random.default_rng(seed),
    )  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED_FAULTS)
def test_sound_covers_the_video_without_gaps(fault):
    video = planted(fault)
    assert video.duration_seconds == 60
    ends = [0.0, *(span.stop_seconds for span in video.sound)]
    starts = [*(span.start_seconds for span in video.sound), 60.0]
    assert ends == pytest.approx(starts)


def heard_at(video, seconds):
    span = next(s for s in video.sound if s.start_seconds <= seconds < s.stop_seconds)
    return span.clip, span.clip_seconds + seconds - span.start_seconds


def test_a_late_sound_comes_later_than_its_picture():
    video = planted("shifted", seed=3)
    clip, place = heard_at(video, 25.0)
    assert clip == 2
    assert place == pytest.approx(5.0 - video.shift_seconds)


def test_a_span_is_foreign_and_the_rest_is_own():
    video = planted("foreign span")
    start, stop = video.fault_span
    assert stop - start == 15
    assert heard_at(video, (start + stop) / 2)[0] >= 6
    for seconds in np.arange(0.5, 60):
        if not start <= seconds < stop:
            assert heard_at(video, seconds) == (int(seconds // 10), pytest.approx(seconds % 10))
    seconds_T = np.arange(0.5, 60)
    truth = moment_kinds(video, seconds_T, margin_seconds=2)
    assert not (truth["own"] & truth["foreign"]).any()
    assert truth["foreign"].sum() == pytest.approx(11, abs=1)


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

    def embedded_clips(name: str, **config):
        config = PrepareConfig(frame_pixels=32, sampling="uniform_left", min_seconds=0.3, **config)
        prepare(stage_folder / "clips", out=tmp_path / name, config=config, num_workers=0)
        clips = PreparedDataset.open(tmp_path / name)
        return OracleEncoder(StageTruth(stage_folder), clips, window_seconds=1e-6).clips(range(4))

    whole = embedded_clips("whole", clip_seconds=1.0, num_frames=10)
    halves = embedded_clips("halves", clip_seconds=0.5, num_frames=5)
    for n in range(2):
        for part in ("audio_TD", "visual_TD"):
            joined_TD = torch.cat([getattr(halves[2 * n], part), getattr(halves[2 * n + 1], part)])
            torch.testing.assert_close(joined_TD, getattr(whole[n], part))

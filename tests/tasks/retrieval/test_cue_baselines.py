"""Rules that learn nothing: worked by hand, equal to NumPy, and right where clips flash as they sound."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.media import write_video
from cavmae_sync.tasks.retrieval.clip_cues import LAGS_SECONDS, read_cues
from cavmae_sync.tasks.retrieval.cue_baselines import compare_curves, cue_baselines, nearness


def random_curves(num_clips: int, num_frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        num_clips, num_frames, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def means(measures) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in measures.clip_values().items()}


def test_the_product_of_lifted_numbers_is_minus_their_squared_distance():
    pair = nearness(torch.tensor([[0.0, 2.0]]), torch.tensor([[0.5, -1.0]]))
    found = pair.audio_NTD[0] @ pair.visual_NTD[0].T
    assert found.tolist() == [[-0.25, -1.0], [-2.25, -9.0]]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_curves_that_go_together_or_against_each_other_find_each_other(sign: float):
    picture = random_curves(50, 8)
    found = means(compare_curves((3 + 2 * sign * picture)[:, None], picture))
    assert found["both/audio_to_visual"] == found["when/visual_to_audio"] == 1
    assert found["moment/audio_to_visual"] == found["moment/visual_to_audio"] == 1


def test_recall_is_that_of_the_correlation_in_numpy():
    sound = random_curves(30, 6, seed=1)
    picture = sound + 2 * random_curves(30, 6, seed=2)
    correlations = np.corrcoef(sound.numpy(), picture.numpy())[:30, 30:]
    values = compare_curves(sound[:, None], picture).clip_values()
    assert values["when/audio_to_visual"].tolist() == (correlations.argmax(axis=1) == np.arange(30)).tolist()
    assert values["when/visual_to_audio"].tolist() == (correlations.argmax(axis=0) == np.arange(30)).tolist()


def test_the_best_lag_is_taken():
    picture = random_curves(40, 8)
    lags = torch.stack([random_curves(40, 8, seed=lag + 1) for lag in range(5)], dim=1)
    lags[:, 3] = picture
    assert means(compare_curves(lags, picture))["both/audio_to_visual"] == 1


def test_levels_of_clips_are_what_and_no_when():
    level = 10 * random_curves(40, 1)
    found = means(compare_curves((level + random_curves(40, 8, 1))[:, None], level + random_curves(40, 8, 2)))
    assert found["what/audio_to_visual"] > 0.2
    assert found["when/audio_to_visual"] < 0.2


def test_a_curve_that_never_changes_fits_nothing_and_is_counted():
    flat = torch.ones(5, 4)
    measures = compare_curves(flat[:, None], random_curves(5, 4))
    assert measures.num_unchanging == 5
    found = means(measures)
    assert found["both/audio_to_visual"] == 0
    assert found["moment/visual_to_audio"] == 1 / 4


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
    seen: list[tuple[int, int]] = []
    clips = PreparedDataset.open(tmp_path / "data")
    cues = read_cues(clips, window_seconds=[0.1], on_progress=lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert cues.sounds["loudness"].shape == (3, len(LAGS_SECONDS), 4)
    assert cues.spectra_NTM.shape == (3, 4, 128)
    assert cues.pictures_NTG.shape == (3, 4, 12 * 12 * 3)
    found = cue_baselines(cues)
    assert set(means(found["loudness against brightness"]).values()) >= {1.0}
    assert means(found["loudness against brightness"])["both/visual_to_audio"] == 1
    assert "pitch in 0.1 s against motion" in found


def test_one_frame_alone_has_levels_only(prepared: PreparedDataset):
    cues = read_cues(prepared.head(3)).at_frame(2)
    found = cue_baselines(cues)["loudness against brightness"]
    assert list(found.matches) == ["both"]
    assert found.moments is None

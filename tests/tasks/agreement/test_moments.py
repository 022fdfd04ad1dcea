"""Moments of a video file in equal steps, and their vectors."""

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.tasks.agreement.moments import embed_moments, read_moments, sound_windows

CONFIG = InputConfig(frame_pixels=16, segment_length=96)


def write_clock(path, *, seconds, rate=10):
    """Brightness is the time of a frame; a click at every full second of sound."""
    count = round(seconds * rate)
    levels = (np.arange(count) * 200 / count).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (count, 16, 16, 3)).copy()
    sound = np.zeros(round(seconds * 16000), np.float32)
    sound[::16000] = 0.9
    write_video(path, frames, frames_per_second=rate, waveform_S=sound)


@pytest.mark.parametrize("seconds", [0.6, 7.0, 8.5, 9.0, 20.3])
def test_moments_follow_in_equal_steps_whatever_the_length(tmp_path, seconds):
    write_clock(tmp_path / "v.mp4", seconds=seconds)
    batchs = list(read_moments(tmp_path / "v.mp4", config=CONFIG, frames_per_second=2))
    seconds_T = np.concatenate([batch.seconds_T for batch in batchs])
    expected = (np.arange(int(seconds * 2 + 0.5)) + 0.5) / 2
    np.testing.assert_allclose(seconds_T, expected, atol=1e-6)


@pytest.mark.parametrize("alignment", ["padded", "centered"])
def test_a_moment_is_the_same_wherever_batches_meet(tmp_path, alignment):
    """Frames show their time, and windows are those of the whole sound, also at 8 s where a batch ends."""
    write_clock(tmp_path / "v.mp4", seconds=20)
    config = CONFIG.model_copy(update={"alignment": alignment})
    batchs = list(read_moments(tmp_path / "v.mp4", config=config, frames_per_second=2))
    assert len(batchs) == 3
    shown = np.concatenate([batch.frames_THWC.mean(axis=(1, 2, 3)) for batch in batchs])
    np.testing.assert_allclose(shown, (np.arange(40) + 0.5) * 5, atol=4)
    energies = torch.cat([batch.segments_TLM.mean(dim=2) for batch in batchs])[2:-2]
    # 10 ms after a click, hence the same place in every window: a moment is 0.25 or 0.75 s after a second.
    assert energies[::2].argmax(dim=1).unique().numel() <= 2
    assert energies[1::2].argmax(dim=1).unique().numel() <= 2


def test_batches_of_a_centred_model_have_silence_only_at_the_ends_of_the_file(tmp_path):
    """Windows of 1 s: the first and the last moment lie 0.25 s from an end, all others farther than 0.5 s."""
    generator = np.random.default_rng(0)
    write_video(
        tmp_path / "v.mp4",
        np.zeros((200, 16, 16, 3), np.uint8),
        frames_per_second=10,
        waveform_S=generator.uniform(-0.3, 0.3, 320_000).astype(np.float32),
    )
    config = CONFIG.model_copy(update={"alignment": "centered"})
    batchs = list(read_moments(tmp_path / "v.mp4", config=config, frames_per_second=2))
    segments_TLM = torch.cat([batch.segments_TLM for batch in batchs])
    num_silent = (segments_TLM.amax(dim=2) < -2).sum(dim=1)
    assert num_silent.tolist() == [24, *[0] * 38, 24]
    loudness_T = np.concatenate([batch.loudness_T for batch in batchs])
    assert np.ptp(loudness_T) < 1


def test_loudness_is_that_of_the_window():
    wave = np.full(32000, 0.1, np.float32)
    wave[16000:] = 0
    _, loudness_T = sound_windows(wave, np.array([0.5, 1.5]), config=CONFIG)
    assert loudness_T == pytest.approx([-20, -120], abs=0.1)


def test_a_file_becomes_vectors_of_its_moments(tmp_path, embedder: Embedder):
    write_clock(tmp_path / "v.mp4", seconds=10)
    seen = []
    moments = embed_moments(
        embedder, tmp_path / "v.mp4", on_moments=lambda batch: seen.append(batch.seconds_T[-1])
    )
    assert moments.audio_TD.shape == moments.visual_TD.shape == (20, 16)
    assert (moments.step_seconds, moments.window_seconds) == (0.5, 0.16)
    assert not moments.is_still_T.any()
    assert seen[-1] == 9.75


def test_too_short_a_file_is_refused(tmp_path):
    write_clock(tmp_path / "v.mp4", seconds=0.2)
    with pytest.raises(ClipTooShortError, match=r"v\.mp4"):
        list(read_moments(tmp_path / "v.mp4", config=CONFIG, frames_per_second=2))

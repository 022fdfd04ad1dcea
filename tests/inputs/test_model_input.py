"""Model input of a clip: shapes, each segment around its frame, what is refused."""

import numpy as np
import pytest
import torch

from cavmae_sync.inputs import InputConfig, ModelInput, log_mel, model_input, normalize_spectrogram
from cavmae_sync.media import Clip


def make_clip(*, seconds: float = 10.0, frames: int = 16, sample_rate_hz: int = 16_000) -> Clip:
    random = np.random.default_rng(0)
    return Clip(
        frames_THWC=random.integers(0, 256, (frames, 48, 64, 3), dtype=np.uint8),
        frame_seconds_T=np.linspace(0, seconds, frames),
        waveform_S=random.uniform(-1, 1, int(seconds * sample_rate_hz)).astype(np.float32),
        sample_rate_hz=sample_rate_hz,
        duration_seconds=seconds,
    )


def test_a_clip_of_ten_seconds():
    ready = model_input(make_clip(), InputConfig())
    assert ready.frames_TCHW.shape == (16, 3, 224, 224)
    assert ready.segments_TLM.shape == (16, 416, 128)
    assert ready.frames_TCHW.dtype == ready.segments_TLM.dtype == torch.float32


def test_each_segment_is_the_sound_around_its_frame():
    clip, config = make_clip(), InputConfig()
    ready = model_input(clip, config)
    expected = normalize_spectrogram(log_mel(clip.waveform_S)[304:720], config=config)
    assert torch.equal(ready.segments_TLM[8], expected)


def test_eleven_segments_stand_for_sixteen():
    ready = model_input(make_clip(), InputConfig())
    assert len(ready.segments_TLM.unique(dim=0)) == 11


def test_a_short_clip_is_heard_to_its_end_when_aligned_by_its_valid_length():
    clip = make_clip(seconds=5)
    padding = -InputConfig().spectrogram_mean / InputConfig().spectrogram_std
    padded = model_input(clip, InputConfig(alignment="padded"))
    valid = model_input(clip, InputConfig(alignment="valid"))
    assert (padded.segments_TLM[15] == pytest.approx(padding)) is True
    assert (valid.segments_TLM[15] != pytest.approx(padding)) is True
    last = normalize_spectrogram(log_mel(clip.waveform_S)[-1], config=InputConfig())
    assert torch.equal(valid.segments_TLM[15, -1], last)


def test_any_number_of_frames_and_another_size():
    config = InputConfig(frame_pixels=32, segment_length=96)
    for frames in (1, 10, 16):
        ready = model_input(make_clip(seconds=1.5, frames=frames), config)
        assert ready.frames_TCHW.shape == (frames, 3, 32, 32)
        assert ready.segments_TLM.shape == (frames, 96, 128)


def test_another_sample_rate_is_refused():
    with pytest.raises(ValueError, match="16000 Hz, but the clip has 44100 Hz"):
        model_input(make_clip(seconds=1, sample_rate_hz=44_100), InputConfig())


def test_sound_too_short_for_one_window_is_refused():
    with pytest.raises(ValueError, match="at least 400 samples"):
        model_input(make_clip(seconds=0.02), InputConfig())


def test_parts_that_do_not_belong_together_are_refused():
    frames, segments = torch.zeros(2, 3, 16, 16), torch.zeros(1, 16, 128)
    with pytest.raises(ValueError, match="2 frames and 1 segments"):
        ModelInput(frames_TCHW=frames, segments_TLM=segments)
    with pytest.raises(ValueError, match=r"frames \[T, C, H, W\]"):
        ModelInput(frames_TCHW=frames[0], segments_TLM=segments)

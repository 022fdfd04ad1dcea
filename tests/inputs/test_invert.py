"""Spectrograms back to sound: pitch, loudness and rhythm survive."""

import pytest
import torch
from torch import Tensor

from cavmae_sync.inputs import log_mel
from cavmae_sync.inputs.invert import waveform_from_log_mel


def there_and_back(waveform_S: Tensor, *, seed: int = 0) -> Tensor:
    return waveform_from_log_mel(log_mel(waveform_S), generator=torch.Generator().manual_seed(seed))


def sine(hertz: float, *, num_samples: int = 16_000, amplitude: float = 0.3) -> Tensor:
    return amplitude * torch.sin(2 * torch.pi * hertz * torch.arange(num_samples) / 16_000)


def test_a_sine_keeps_its_frequency_and_loudness():
    for hertz in (300, 1000, 3000):
        back_S = there_and_back(sine(hertz))
        spectrum = torch.fft.rfft(back_S * torch.hann_window(len(back_S))).abs()
        found = int(spectrum.argmax()) * 16_000 / len(back_S)
        assert found == pytest.approx(hertz, rel=0.05)  # no wider than its mel bin
        assert float(back_S.std()) == pytest.approx(0.3 / 2**0.5, rel=0.1)


def test_the_envelope_of_energy_comes_back():
    generator = torch.Generator().manual_seed(1)
    loudness_S = torch.sin(torch.arange(32_000) / 16_000 * 3 * torch.pi).square() * 0.2 + 0.001
    sound_S = loudness_S * torch.randn(32_000, generator=generator).clamp(-3, 3)
    back_S = there_and_back(sound_S)
    before, after = (
        log_mel(waveform).exp().sum(dim=1).log() for waveform in (sound_S[200 : 200 + len(back_S)], back_S)
    )
    assert float(torch.corrcoef(torch.stack([before, after]))[0, 1]) > 0.95


def test_silence_stays_silent():
    assert float(there_and_back(torch.zeros(8000)).abs().max()) < 0.01


def test_length_range_and_seed():
    first, again, other = (there_and_back(sine(500, amplitude=1.0), seed=seed) for seed in (0, 0, 1))
    assert len(first) == 160 * (len(log_mel(sine(500))) - 1)
    assert float(first.abs().max()) <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_bad_spectrograms_are_refused():
    for bad in (torch.zeros(3, 128), torch.zeros(10, 64), torch.full((10, 128), torch.nan)):
        with pytest.raises(ValueError, match=r"128 mel bins|NaN"):
            waveform_from_log_mel(bad, generator=torch.Generator())

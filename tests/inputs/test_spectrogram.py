"""The spectrogram against torchaudio's (golden), against NumPy in float64, and against its own physics."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cavmae_sync.inputs import InputConfig, log_mel, normalize_spectrogram
from cavmae_sync.inputs.spectrogram import denormalize_spectrogram, num_spectrogram_frames

FLOOR = -15.942385


def slow_log_mel(waveform: np.ndarray) -> np.ndarray:
    """Kaldi's definition, one window, one frequency and one filter at a time, in float64."""
    waveform = waveform.astype(np.float64)
    waveform = waveform - waveform.mean()
    mel = lambda hertz: 1127 * math.log(1 + hertz / 700)  # noqa: E731
    edges = np.linspace(mel(20), mel(8000), 130)
    rows = []
    for start in range(0, len(waveform) - 399, 160):
        window = waveform[start : start + 400]
        window = window - window.mean()
        emphasised = [window[0] - 0.97 * window[0]]
        emphasised += [window[j] - 0.97 * window[j - 1] for j in range(1, 400)]
        hann = [0.5 - 0.5 * math.cos(2 * math.pi * j / 399) for j in range(400)]
        signal = np.zeros(512)
        signal[:400] = np.multiply(emphasised, hann)
        power = np.abs(np.fft.fft(signal)) ** 2
        row = []
        for left, center, right in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            energy = 0.0
            for k in range(256):
                rise = (mel(k * 31.25) - left) / (center - left)
                fall = (right - mel(k * 31.25)) / (right - center)
                energy += max(0.0, min(rise, fall)) * power[k]
            row.append(math.log(max(energy, 2.0**-23)))
        rows.append(row)
    return np.array(rows)


def assert_same_sound(ours_NM: Tensor, reference_NM: Tensor) -> None:
    """Equal where energies are above float32's own noise; below it, equally quiet."""
    ours_NM, reference_NM = ours_NM.double(), reference_NM.double()
    loudest_N1 = reference_NM.amax(dim=1, keepdim=True)
    audible_NM = reference_NM > loudest_N1 - 7 * math.log(10)  # 70 dB
    assert (ours_NM - reference_NM).abs()[audible_NM].max() < 1e-3
    amplitude_error = ((ours_NM / 2).exp() - (reference_NM / 2).exp()).abs() / (loudest_N1 / 2).exp()
    assert amplitude_error.max() < 1e-4


@pytest.mark.parametrize("sound", ["noise", "sweep"])
def test_it_equals_torchaudio(golden, sound: str):
    data = golden("logmel_synthetic")
    ours = log_mel(data[sound][0])
    assert ours.shape == data[f"{sound}_fbank"].shape
    assert_same_sound(ours, data[f"{sound}_fbank"])


def test_noise_has_no_quiet_bins_so_every_value_agrees_with_torchaudio(golden):
    data = golden("logmel_synthetic")
    assert (log_mel(data["noise"][0]) - data["noise_fbank"]).abs().max() < 1e-3


@pytest.mark.parametrize("sound", ["noise", "sweep"])
def test_it_equals_the_definition_in_float64(golden, sound: str):
    waveform = golden("logmel_synthetic")[sound][0, :2000]
    assert_same_sound(log_mel(waveform), torch.from_numpy(slow_log_mel(waveform.numpy())))


def test_digital_silence_is_the_floor_everywhere(golden):
    silence = log_mel(torch.zeros(16_000))
    assert torch.equal(silence, golden("logmel_synthetic")["zeros_fbank"])
    assert silence == pytest.approx(FLOOR)


def test_only_whole_windows_become_rows():
    for samples, rows in [(160_000, 998), (163_840, 1022), (164_200, 1024), (400, 1)]:
        assert num_spectrogram_frames(samples) == rows
        assert log_mel(torch.zeros(samples)).shape == (rows, 128)
    assert num_spectrogram_frames(399) == 0


def test_a_tone_is_loudest_in_the_bin_that_holds_its_frequency():
    mel = lambda hertz: 1127 * math.log(1 + hertz / 700)  # noqa: E731
    step = (mel(8000) - mel(20)) / 129
    time = torch.arange(16_000) / 16_000
    for hertz in (440.0, 1000.0, 3000.0, 7000.0):
        bin_of_tone = (mel(hertz) - mel(20)) / step - 1
        loudest = log_mel(0.5 * torch.sin(2 * math.pi * hertz * time)).mean(dim=0).argmax()
        assert abs(int(loudest) - bin_of_tone) <= 1


def test_bin_3_is_narrower_than_the_transform_resolves(golden):
    assert log_mel(golden("logmel_synthetic")["noise"][0])[:, 3].unique() == pytest.approx(FLOOR)


@given(seed=st.integers(0, 2**31), samples=st.integers(400, 4000), power=st.integers(-3, 3))
def test_doubling_the_amplitude_adds_ln_4_to_every_bin_above_the_floor(seed: int, samples: int, power: int):
    waveform = torch.rand(samples, generator=torch.Generator().manual_seed(seed)) - 0.5
    plain, scaled = log_mel(waveform), log_mel(waveform * 2.0**power)
    above = (plain > FLOOR + 1) & (scaled > FLOOR + 1)
    assert above.float().mean() > 0.9
    assert (scaled - plain)[above] == pytest.approx(power * math.log(4), abs=1e-4)


@given(seed=st.integers(0, 2**31), offset=st.floats(-0.4, 0.4))
def test_a_constant_offset_changes_nothing(seed: int, offset: float):
    waveform = (torch.rand(2000, generator=torch.Generator().manual_seed(seed)) - 0.5) / 2
    assert_same_sound(log_mel(waveform + offset), log_mel(waveform))


@given(hops=st.integers(1, 5))
def test_moving_the_sound_by_one_hop_moves_the_rows_by_one(hops: int):
    waveform = torch.rand(3000, generator=torch.Generator().manual_seed(hops)) - 0.5
    assert_same_sound(log_mel(waveform[160 * hops :]), log_mel(waveform)[hops:])


def test_numpy_and_torch_float64_and_read_only_arrays_give_the_same():
    waveform = np.random.default_rng(0).uniform(-1, 1, 1600).astype(np.float32)
    expected = log_mel(torch.from_numpy(waveform.copy()))
    waveform.flags.writeable = False
    assert torch.equal(log_mel(waveform), expected)
    assert torch.equal(log_mel(waveform.astype(np.float64)), expected)
    assert expected.dtype == torch.float32


def test_reduced_precision_around_it_does_not_reach_it():
    waveform = torch.rand(1600, generator=torch.Generator().manual_seed(0)) - 0.5
    expected = log_mel(waveform)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(log_mel(waveform), expected)


def test_it_carries_gradients_even_after_a_first_use_in_inference_mode():
    waveform = (torch.rand(1600, generator=torch.Generator().manual_seed(0)) - 0.5).requires_grad_()
    with torch.inference_mode():
        log_mel(waveform.detach())
    log_mel(waveform).sum().backward()
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()


def test_bad_sound_is_refused_with_what_it_was():
    with pytest.raises(ValueError, match=r"at least 400 samples \(25 ms\), but the waveform has 399"):
        log_mel(torch.zeros(399))
    with pytest.raises(ValueError, match=r"one channel.*\(2, 1600\)"):
        log_mel(torch.zeros(2, 1600))
    with pytest.raises(TypeError, match="int16"):
        log_mel(torch.zeros(1600, dtype=torch.int16))
    with pytest.raises(ValueError, match="NaN or infinite"):
        log_mel(torch.full((1600,), math.nan))


def test_normalisation_of_silence_and_padding_and_back():
    config = InputConfig()
    values = torch.tensor([FLOOR, 0.0, -5.081])
    normal = normalize_spectrogram(values, config=config)
    assert normal == pytest.approx([-2.4218, 1.1329, 0.0], abs=1e-4)
    assert denormalize_spectrogram(normal, config=config) == pytest.approx(values)


def test_half_precision_rows_from_disk_are_normalised_in_float32():
    normal = normalize_spectrogram(torch.tensor([-7.5], dtype=torch.float16), config=InputConfig())
    assert normal.dtype == torch.float32
    assert normal == pytest.approx((-7.5 + 5.081) / 4.4849)

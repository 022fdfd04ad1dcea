"""FLAC in memory: exact but for 16 bits, equal bytes for equal sound."""

import numpy as np
import pytest

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.flac import decode_flac, encode_flac


def test_sound_comes_back_within_half_a_step() -> None:
    for num_samples in (1, 399, 16_000, 47_999):
        waveform_S = np.random.default_rng(0).uniform(-0.99, 0.99, num_samples).astype(np.float32)
        content = encode_flac(waveform_S, sample_rate_hz=16_000)
        decoded_S = decode_flac(content)
        assert decoded_S.dtype == np.float32
        assert decoded_S.shape == waveform_S.shape
        assert np.abs(decoded_S - waveform_S).max() <= 2**-16
        assert encode_flac(waveform_S, sample_rate_hz=16_000) == content
        assert encode_flac(decoded_S, sample_rate_hz=16_000) == content


def test_full_scale_is_kept() -> None:
    decoded_S = decode_flac(encode_flac(np.array([1.0, -1.0, 0.0], np.float32), sample_rate_hz=16_000))
    assert decoded_S.tolist() == [32767 / 32768, -1.0, 0.0]


def test_odd_sound_is_refused() -> None:
    for waveform_S in (np.zeros(0, np.float32), np.array([1.5], np.float32), np.array([np.nan], np.float32)):
        with pytest.raises(ValueError, match="all finite and in"):
            encode_flac(waveform_S, sample_rate_hz=16_000)
    with pytest.raises(ValueError, match="float64"):
        encode_flac(np.zeros(5), sample_rate_hz=16_000)


def test_damage_is_an_error() -> None:
    content = encode_flac(np.full(16_000, 0.1, np.float32), sample_rate_hz=16_000)
    with pytest.raises(DecodeError, match="3 bytes"):
        decode_flac(b"abc")
    with pytest.raises(DecodeError, match="FLAC"):
        decode_flac(content[:60])

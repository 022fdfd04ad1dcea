"""WAV files are read back as they were written, by our own reader and by Python's."""

import wave
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.media import read_audio
from cavmae_sync.media.wav import write_wav


def test_it_is_read_back(tmp_path: Path):
    waveform_S = np.linspace(-1, 1, 4000, dtype=np.float32)
    write_wav(tmp_path / "sound é 音.wav", waveform_S)
    np.testing.assert_allclose(read_audio(tmp_path / "sound é 音.wav"), waveform_S, atol=1e-4)
    with wave.open(str(tmp_path / "sound é 音.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)


def test_bad_arrays_are_refused_and_leave_no_file(tmp_path: Path):
    for bad in (
        np.array([1.1], dtype=np.float32),
        np.array([np.nan], dtype=np.float32),
        np.array([], dtype=np.float32),
        np.zeros(3),
        np.zeros((2, 2), dtype=np.float32),
    ):
        with pytest.raises(ValueError, match="waveform_S"):
            write_wav(tmp_path / "sound.wav", bad)
    assert list(tmp_path.iterdir()) == []

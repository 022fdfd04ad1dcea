"""Loudness in decibels of full scale."""

import numpy as np
import pytest

from cavmae_sync.data.flags import is_silent
from cavmae_sync.media.loudness import LEAST_DBFS, SILENT_BELOW_DBFS, loudness_dbfs


def test_known_loudness():
    times = np.arange(16000) / 16000
    assert loudness_dbfs(np.ones(100, np.float32)) == 0
    assert loudness_dbfs(np.full(100, 0.1, np.float32)) == pytest.approx(-20)
    assert loudness_dbfs(np.sin(2 * np.pi * 440 * times).astype(np.float32)) == pytest.approx(-3.01, abs=0.01)


def test_digital_silence_and_no_sound_have_the_least_loudness():
    assert loudness_dbfs(np.zeros(100, np.float32)) == loudness_dbfs(np.zeros(0, np.float32)) == LEAST_DBFS


def test_silent_is_what_is_quieter_than_the_threshold():
    for level, expected in ((-59.9, False), (-60.1, True)):
        waveform_S = np.full(1000, 10 ** (level / 20), np.float32)
        assert is_silent(waveform_S, below_dbfs=SILENT_BELOW_DBFS) is expected
        assert (loudness_dbfs(waveform_S) < SILENT_BELOW_DBFS) is expected

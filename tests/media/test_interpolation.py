"""Values between samples."""

import numpy as np

from cavmae_sync.media.interpolation import interpolate


def test_a_tone_is_read_at_any_place():
    places_S = np.sort(np.random.default_rng(0).uniform(100, 15_900, 5000))
    for frequency_hz in (50, 440, 3000, 6000):
        omega = 2 * np.pi * frequency_hz / 16_000
        found_S = interpolate(np.sin(omega * np.arange(16_000)).astype(np.float32), places_S)
        np.testing.assert_allclose(found_S, np.sin(omega * places_S), atol=1e-3)


def test_whole_places_give_the_samples():
    samples_N = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    np.testing.assert_allclose(interpolate(samples_N, np.arange(1000.0)), samples_N, atol=1e-6)


def test_outside_is_silence():
    ones_N = np.ones(50, np.float32)
    assert interpolate(ones_N, np.array([-np.inf, -0.1, 49.1, 1e9, np.inf])).tolist() == [0.0] * 5
    assert interpolate(ones_N, np.empty(0)).size == 0
    assert interpolate(np.empty(0, np.float32), np.array([0.0, 1.0])).tolist() == [0.0, 0.0]

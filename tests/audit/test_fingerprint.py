"""Codes of pictures and sounds: what they must not see, and what they must."""

import numpy as np
import pytest

from cavmae_sync.audit.fingerprint import picture_code, sound_code
from cavmae_sync.inputs import log_mel


def frames(seed=0, num_frames=4):
    cells = np.random.default_rng(seed).integers(0, 256, (num_frames, 8, 8, 3))
    return cells.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)


def noise_bursts(seed=0, seconds=4.0):
    generator = np.random.default_rng(seed)
    samples = int(seconds * 16_000)
    loudness = np.exp(generator.normal(size=samples // 1600 + 1)).repeat(1600)[:samples]
    wave = (
        np.cumsum(generator.normal(size=samples)) * 0.002 + generator.normal(size=samples) * loudness * 0.02
    )
    return np.clip(wave - wave.mean(), -1, 1).astype(np.float32)


def likeness(one, other):
    length = min(len(one), len(other))
    a, b = one[:length].astype(float).ravel(), other[:length].astype(float).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_a_picture_twice_as_large_and_a_little_brighter_has_the_same_code():
    small = np.clip(frames(), 0, 245)
    large = np.clip(small.repeat(2, axis=1).repeat(2, axis=2) + 10, 0, 255).astype(np.uint8)
    assert likeness(picture_code(small), picture_code(large)) > 0.99


def test_other_pictures_and_mirrored_ones_have_other_codes():
    assert abs(likeness(picture_code(frames(0)), picture_code(frames(1)))) < 0.3
    assert likeness(picture_code(frames(0)), picture_code(frames(0)[:, :, ::-1].copy())) < 0.3


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_pictures_have_no_signs(level):
    assert not picture_code(np.full((4, 64, 64, 3), level, dtype=np.uint8)).any()


def test_gain_changes_hardly_a_sign_of_a_sound():
    wave = noise_bursts()
    for gain in (0.5, 2.0):
        louder = np.clip(wave * gain, -1, 1)
        assert likeness(sound_code(log_mel(wave).numpy()), sound_code(log_mel(louder).numpy())) > 0.95


def test_another_sound_has_another_code():
    one, other = (sound_code(log_mel(noise_bursts(seed)).numpy()) for seed in (0, 1))
    assert abs(likeness(one, other)) < 0.3


def test_silence_has_no_signs_and_a_snippet_no_rows():
    assert not sound_code(log_mel(np.zeros(32_000, dtype=np.float32)).numpy()).any()
    assert sound_code(np.zeros((79, 128), dtype=np.float32)).shape == (0, 14)
    assert sound_code(np.zeros((80, 128), dtype=np.float32)).shape == (1, 14)

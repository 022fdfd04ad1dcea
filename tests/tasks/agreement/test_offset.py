"""Constant offset between sound and picture."""

import numpy as np
import pytest
import torch

from cavmae_sync.tasks.agreement.offset import (
    displaced_blocks,
    find_offset,
    lag_curve,
    lag_products,
    peak_seconds,
    reference_lag,
)

from .handmade import STEP, embedded, matched, reference, scenes

HEARD = np.ones(120, bool)


def found(video, *, seed=0, **changes):
    generator = np.random.default_rng(seed)
    foreign = displaced_blocks(video, heard_T=HEARD, max_lag_seconds=5, max_sounds=40, generator=generator)
    choices = {"max_lag_seconds": 5.0, "error_rate": 0.05, "generator": generator} | changes
    return find_offset(video, heard_T=HEARD, foreign=foreign, **choices)


def test_the_curve_is_the_means_of_the_diagonals_of_the_double_centred_matrix():
    video = matched(seconds=10)
    matrix = (video.audio_TD @ video.visual_TD.T).double()  # [sound, picture]
    matrix = matrix - matrix.mean(0, keepdim=True) - matrix.mean(1, keepdim=True) + matrix.mean()
    curve_K = lag_curve(lag_products(video.audio_TD, np.ones(20, bool), video.visual_TD, max_lag=4))
    expected = [float(matrix.diagonal(-lag).mean()) for lag in range(-4, 5)]
    np.testing.assert_allclose(curve_K, expected, atol=1e-6)


def test_moments_that_agree_with_everything_do_not_count():
    """Adding one direction to all vectors of both senses changes every cosine and not the curve."""
    audio_TD, visual_TD = scenes(seconds=30, seed=1), scenes(seconds=30, seed=2)
    heard_T = np.ones(60, bool)
    plain = lag_products(audio_TD, heard_T, visual_TD, max_lag=5)
    common = lag_products(audio_TD + 3, heard_T, visual_TD + 3, max_lag=5)
    np.testing.assert_allclose(plain, common, atol=1e-4)


@pytest.mark.parametrize("steps", [-4, -1, 0, 2, 4])
def test_a_shift_is_found_and_lies_in_its_interval(steps):
    own = matched(seed=11)
    offset = found(embedded(torch.roll(own.audio_TD, steps, 0), own.visual_TD))
    assert offset.seconds == pytest.approx(steps * STEP, abs=0.2)
    assert offset.low - 0.2 <= steps * STEP <= offset.high + 0.2
    assert offset.p_value <= 0.05


def test_foreign_sound_has_an_offset_about_as_often_as_stated():
    times = [
        found(embedded(scenes(seconds=60, seed=seed), scenes(seconds=60, seed=seed + 900)), seed=seed).seconds
        for seed in range(40)
    ]
    assert sum(seconds is not None for seconds in times) <= 6


def test_a_short_video_is_not_looked_at():
    short = matched(seconds=20)
    foreign = displaced_blocks(
        short,
        heard_T=np.ones(40, bool),
        max_lag_seconds=5,
        max_sounds=10,
        generator=np.random.default_rng(0),
    )
    assert list(foreign) == []


def test_displaced_sound_never_comes_home():
    own = matched(seconds=60)
    foreign = displaced_blocks(
        own, heard_T=HEARD, max_lag_seconds=5, max_sounds=30, generator=np.random.default_rng(0)
    )
    for audio_TD, sounding_T in foreign:
        origin = torch.cdist(audio_TD, own.audio_TD).argmin(dim=1)
        moved = (origin - torch.arange(120)).abs()[torch.from_numpy(sounding_T)]
        assert (moved > 10).all()


def test_a_peak_between_lags():
    lags = np.arange(-3, 4) * 0.5
    assert peak_seconds(-((lags - 0.3) ** 2), lags) == pytest.approx(0.3)
    assert peak_seconds(lags, lags) == 1.5  # at the end nothing lies beyond


def test_a_lag_of_the_model_is_measured_and_taken_off():
    known = reference()
    assert reference_lag(known, silent_below_dbfs=-60, max_lag_seconds=2) == pytest.approx(0, abs=0.1)
    own = matched()
    plain, corrected = found(own), found(own, corrected_seconds=-0.25)
    assert corrected.seconds == pytest.approx(plain.seconds + 0.25)
    assert corrected.low == pytest.approx(plain.low + 0.25)


def test_the_short_way_to_the_curve_is_the_long_one():
    video = matched(seconds=20)
    heard_T = np.arange(40) % 5 > 0
    expected = lag_curve(lag_products(video.audio_TD, heard_T, video.visual_TD, max_lag=6))
    foreign = [(video.audio_TD, heard_T)] * 20
    offset = find_offset(
        video,
        heard_T=heard_T,
        foreign=foreign,
        max_lag_seconds=3,
        error_rate=0.05,
        generator=np.random.default_rng(0),
    )
    assert offset.chance_high == pytest.approx(expected.max(), rel=1e-5)

"""Chance: foreign sounds, running means, and percentiles among them."""

import numpy as np
import pytest
import torch

from cavmae_sync.tasks.agreement.chance import (
    null_percentiles,
    short_video_agreement,
    smoothed,
    sounds_moved_within,
)

from .handmade import embedded, matched, scenes


def slow_mean(values, valid, width):
    out = []
    for place in range(len(values)):
        near = [p for p in range(place - width // 2, place + width // 2 + 1) if 0 <= p < len(values)]
        kept = [values[p] for p in near if valid[p]]
        out.append(np.mean(kept) if 2 * len(kept) >= len(near) else np.nan)
    return np.array(out)


@pytest.mark.parametrize("width", [1, 3, 7, 31])
def test_the_running_mean_equals_a_slow_one(width):
    generator = np.random.default_rng(width)
    values, valid = generator.normal(size=20), generator.random(20) > 0.4
    np.testing.assert_allclose(smoothed(values, valid, width=width), slow_mean(values, valid, width))


def test_foreign_sounds_of_a_video_keep_their_distance_on_both_sides():
    own = matched(seconds=20)
    heard_T = np.ones(40, bool)
    places = torch.arange(40, dtype=torch.float32)
    for audio_TD, _ in sounds_moved_within(own, heard_T=heard_T, gap_seconds=2.0, max_sounds=500):
        origin = torch.cdist(audio_TD, own.audio_TD).argmin(dim=1).float()
        assert ((origin - places).abs() >= 4).all()
    assert len(list(sounds_moved_within(own, heard_T=heard_T, gap_seconds=2.0, max_sounds=500))) == 33
    assert len(list(sounds_moved_within(own, heard_T=heard_T, gap_seconds=2.0, max_sounds=20))) == 20


def test_the_percentile_of_a_moment_is_its_place_among_foreign_sounds():
    own = matched(seconds=4)
    heard_T = np.ones(8, bool)
    foreign = [(scenes(seconds=4, seed=seed), heard_T) for seed in range(30)]
    found = null_percentiles(own, heard_T=heard_T, foreign=foreign, width=1)
    cosines_RT = np.stack([(audio * own.visual_TD).sum(1).numpy() for audio, _ in foreign])
    own_T = (own.audio_TD * own.visual_TD).sum(1).numpy()
    np.testing.assert_allclose(found.agreement_T, own_T, atol=1e-6)
    np.testing.assert_allclose(found.percentile_T, (cosines_RT < own_T).mean(axis=0))
    np.testing.assert_allclose(found.mid_T, np.median(cosines_RT, axis=0), atol=1e-6)
    expected = (own_T - cosines_RT.mean(0)) / cosines_RT.std(0)
    np.testing.assert_allclose(found.score_T, expected, rtol=1e-4)


def test_chance_is_chance_for_sound_that_is_foreign():
    """Over many foreign videos, percentiles are spread evenly and p-values are as rare as they say."""
    percentiles, p_values = [], []
    for seed in range(40):
        video = embedded(scenes(seconds=30, seed=seed), scenes(seconds=30, seed=seed + 5000))
        heard_T = np.ones(60, bool)
        foreign = sounds_moved_within(video, heard_T=heard_T, gap_seconds=2.0, max_sounds=200)
        found = null_percentiles(video, heard_T=heard_T, foreign=foreign, width=5)
        percentiles.append(found.percentile_T.mean())
        p_values.append(found.p_value)
    assert np.mean(percentiles) == pytest.approx(0.5, abs=0.06)
    assert np.mean(np.array(p_values) <= 0.1) <= 0.2


def test_silence_leaves_no_value():
    own = matched(seconds=10)
    heard_T = np.arange(20) < 10
    foreign = [(scenes(seconds=10, seed=seed), np.ones(20, bool)) for seed in range(30)]
    found = null_percentiles(own, heard_T=heard_T, foreign=foreign, width=3)
    assert np.isfinite(found.agreement_T[:9]).all()
    assert np.isnan(found.agreement_T[12:]).all()


def test_the_agreement_of_a_short_video_is_the_mean_among_all_places_of_the_sound():
    """Six moments of six things: the own place agrees fully, every other one not at all."""
    own = matched(seconds=6)
    heard_T = np.ones(len(own.seconds_T), dtype=bool)
    foreign = list(sounds_moved_within(own, heard_T=heard_T, gap_seconds=2.0, max_sounds=200))
    found = short_video_agreement(own, heard_T=heard_T, foreign=foreign)
    assert found is not None
    means = [float((audio_TD * own.visual_TD).sum(1).mean()) for audio_TD, _ in foreign]
    assert found.agreement == pytest.approx(float((own.audio_TD * own.visual_TD).sum(1).mean()))
    assert (found.lowest, found.highest) == pytest.approx((min(means), max(means)))
    assert (found.num_ways, found.num_as_good) == (len(foreign), 0)
    assert short_video_agreement(own, heard_T=~heard_T, foreign=foreign) is None
    assert short_video_agreement(own, heard_T=heard_T, foreign=[]) is None

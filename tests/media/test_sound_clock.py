"""Times of counted sound: stamps that jitter, drift, leap or are wrong."""

import numpy as np
import pytest

from cavmae_sync.media.sound_clock import SoundRun, sound_runs

CHUNK = 0.02
TRUE = np.arange(3000) * CHUNK  # a minute


def runs(stamps: np.ndarray, *, from_start: bool = False) -> list[SoundRun]:
    given = [None if np.isnan(stamp) else float(stamp) for stamp in stamps]
    return sound_runs(given, np.full(len(given), CHUNK), from_start=from_start)


def heard(found: list[SoundRun]) -> np.ndarray:
    """When each chunk was heard."""
    return np.array(
        [run.seconds_of((index - run.first) * CHUNK) for run in found for index in range(run.first, run.stop)]
    )


def test_stamps_that_are_right_are_kept():
    (run,) = runs(TRUE + 1.5)
    assert run.is_steady
    np.testing.assert_allclose(heard([run]), TRUE + 1.5, atol=1e-9)


def test_stamps_rounded_to_a_tick_are_one_steady_run():
    length = 1024 / 44_100
    stamps = np.round(np.arange(2500) * length, 3)
    (run,) = sound_runs(stamps.tolist(), np.full(2500, length), from_start=True)
    assert run.is_steady
    assert run.seconds_of(0.0) == pytest.approx(0.0, abs=5e-5)


def test_jitter_makes_no_hole_and_moves_little():
    times = TRUE[:1500]
    for jitter_seconds in (0.011, 0.015, 0.05, 0.1):
        random = np.random.default_rng(0).uniform(-jitter_seconds, jitter_seconds, times.size)
        for noise in (random, jitter_seconds * np.sign(np.sin(np.arange(times.size) / 4))):
            found = runs(times + noise)
            assert len(found) == 1
            assert np.abs(heard(found) - times).max() < jitter_seconds / 10


def test_a_drift_is_followed_to_both_ends():
    noise = np.random.default_rng(0).uniform(-5e-4, 5e-4, TRUE.size)
    for drift in (1e-5, 1e-4, 2e-3, -2e-3, 0.01):
        (run,) = runs(TRUE * (1 + drift) + noise)
        assert np.abs(heard([run]) - TRUE * (1 + drift)).max() < 5e-4


def test_a_change_for_good_is_made_at_its_place():
    for change_seconds in (0.02, 0.06, 0.5, 30.0, -0.02, -0.3):
        stamps = TRUE + np.where(np.arange(TRUE.size) >= 1000, change_seconds, 0)
        found = runs(stamps)
        assert [run.first for run in found] == [0, 1000]
        np.testing.assert_allclose(heard(found), stamps, atol=1e-9)


def test_a_change_for_good_shows_through_jitter():
    noise = np.random.default_rng(0).uniform(-0.011, 0.011, TRUE.size)
    stamps = TRUE + np.where(np.arange(TRUE.size) >= 1000, 0.06, 0)
    assert np.abs(heard(runs(stamps + noise)) - stamps).max() < 0.015


def test_a_burst_that_is_caught_up_is_no_change():
    """A second held back by a busy machine, then given at once."""
    late = np.where((np.arange(TRUE.size) >= 1000) & (np.arange(TRUE.size) < 1050), 0.4, 0)
    found = runs(TRUE + late)
    assert len(found) == 1
    assert np.abs(heard(found) - TRUE).max() < 0.03


def test_silence_that_was_not_recorded_stays_silent():
    """Speech coders leave silence out: 20 ms of comfort noise every 400 ms."""
    index = np.arange(600)
    stamps = np.where(index < 300, index * CHUNK, 6 + 0.4 * (index - 300))
    np.testing.assert_allclose(heard(runs(stamps)), stamps, atol=1e-9)


def test_one_wild_stamp_is_not_believed():
    stamps = TRUE.copy()
    stamps[1234] = 1e6
    found = runs(stamps)
    assert len(found) == 1
    np.testing.assert_allclose(heard(found), TRUE, atol=1e-9)


def test_chunks_without_a_stamp_follow_the_others():
    stamps = TRUE + 0.25
    stamps[[0, 1, 500, 2999]] = np.nan
    np.testing.assert_allclose(heard(runs(stamps)), TRUE + 0.25, atol=1e-9)
    assert runs(np.full(10, np.nan)) == []


def test_a_moment_is_the_same_from_wherever_a_file_is_read():
    """Stamps farther away than the clock compares must not matter."""
    stamps = (TRUE * 1.001 + np.random.default_rng(0).uniform(-0.02, 0.02, TRUE.size))[:2400]
    whole, part = heard(runs(stamps)), heard(runs(stamps[1000:2200]))
    inner = slice(700, 720)  # more than ten seconds from both ends of the part
    np.testing.assert_allclose(part[inner], whole[1000:2200][inner], atol=1e-4)


def test_a_track_begins_at_its_first_stamp_and_forgets_it():
    """As players do; later, what is nearest to all stamps."""
    stamps = TRUE + np.where(np.arange(TRUE.size) // 12 % 2, 0.015, -0.015)
    moments = heard(runs(stamps, from_start=True))
    np.testing.assert_allclose(moments[:700], TRUE[:700] - 0.015, atol=1e-9)
    assert np.abs(moments[1600:] - TRUE[1600:]).max() < 0.002
    assert np.abs(np.diff(moments) - CHUNK).max() < CHUNK / 500  # a fifth of a percent


def test_a_drift_is_followed_from_the_first_stamp_on():
    stamps = TRUE * 0.998 + np.random.default_rng(0).uniform(-5e-4, 5e-4, TRUE.size)
    assert np.abs(heard(runs(stamps, from_start=True)) - TRUE * 0.998).max() < 1.5e-3


def test_a_single_chunk():
    (run,) = runs(np.array([3.0]))
    assert (run.first, run.stop, run.seconds_of(0.0)) == (0, 1, 3.0)

"""Videos with planted faults: which sound is heard when."""

import numpy as np
import pytest

from cavmae_sync.tasks.agreement.planted_videos import PLANTED_FAULTS, moment_kinds, plant_fault


def planted(fault, *, seed=0):
    return plant_fault(
        [0, 1, 2, 3, 4, 5], clip_seconds=10, foreign=[6, 7, 8, 9, 10, 11], fault=fault,
        generator=np.random.default_rng(seed),
    )  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED_FAULTS)
def test_sound_covers_the_video_without_gaps(fault):
    video = planted(fault)
    assert video.duration_seconds == 60
    ends = [0.0, *(span.stop_seconds for span in video.sound)]
    starts = [*(span.start_seconds for span in video.sound), 60.0]
    assert ends == pytest.approx(starts)


def heard_at(video, seconds):
    span = next(s for s in video.sound if s.start_seconds <= seconds < s.stop_seconds)
    return span.clip, span.clip_seconds + seconds - span.start_seconds


def test_a_late_sound_comes_later_than_its_picture():
    video = planted("shifted", seed=3)
    clip, place = heard_at(video, 25.0)
    assert clip == 2
    assert place == pytest.approx(5.0 - video.shift_seconds)


def test_a_span_is_foreign_and_the_rest_is_own():
    video = planted("foreign span")
    start, stop = video.fault_span
    assert stop - start == 15
    assert heard_at(video, (start + stop) / 2)[0] >= 6
    for seconds in np.arange(0.5, 60):
        if not start <= seconds < stop:
            assert heard_at(video, seconds) == (int(seconds // 10), pytest.approx(seconds % 10))
    seconds_T = np.arange(0.5, 60)
    truth = moment_kinds(video, seconds_T, margin_seconds=2)
    assert not (truth["own"] & truth["foreign"]).any()
    assert truth["foreign"].sum() == pytest.approx(11, abs=1)

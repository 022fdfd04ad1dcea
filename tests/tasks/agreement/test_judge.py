"""Judging of one video, with a reference and without one."""

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.errors import DatasetError
from cavmae_sync.media.clock import clock
from cavmae_sync.tasks.agreement.config import AgreementConfig
from cavmae_sync.tasks.agreement.judge import Judge, judge_agreement
from cavmae_sync.tasks.agreement.text import per_second, to_csv, to_dict, verdict

from .handmade import embedded, matched, near, reference, scenes

REFERENCE = reference()


@cache
def judge_with_reference() -> Judge:
    """What is asked of the reference is asked once for all tests."""
    return Judge(reference=REFERENCE)


def judged(video, *, known=False):
    return judge_with_reference().judge(video) if known else judge_agreement(video)


def foreign_between(start: int, stop: int, *, seconds: float = 60):
    """Own sound but from `start` to `stop`, where it is that of another video."""
    own = matched(seconds=seconds)
    audio_TD = own.audio_TD.clone()
    audio_TD[2 * start : 2 * stop] = scenes(seconds=seconds, seed=77)[2 * start : 2 * stop]
    return embedded(audio_TD, own.visual_TD)


@pytest.mark.parametrize("known", [False, True], ids=["within the video", "reference"])
def test_a_span_of_foreign_sound_is_found_where_it_is(known):
    result = judged(foreign_between(20, 35), known=known)
    assert result.reason is None
    (span,) = [part for part in result.spans if part.state == "does not fit"]
    assert span.start_seconds == pytest.approx(20, abs=3)
    assert span.stop_seconds == pytest.approx(35, abs=3)
    assert result.share("fits") > 0.6
    assert f"From {clock(span.start_seconds)} to {clock(span.stop_seconds)} they do not." in verdict(result)


@pytest.mark.parametrize("known", [False, True], ids=["within the video", "reference"])
def test_a_video_that_belongs_together_is_left_alone(known):
    result = judged(matched(seed=3), known=known)
    assert "does not fit" not in result.states
    assert result.share("fits") > 0.75
    assert "Nowhere is the sound found to be foreign." in verdict(result)


def test_only_a_reference_sees_sound_that_is_foreign_throughout():
    """Moved about within the video it is as foreign as before, so its own chance says nothing."""
    foreign = embedded(scenes(seconds=60, seed=8), scenes(seconds=60, seed=9))
    alone = judged(foreign)
    assert alone.reason == "too uniform or foreign throughout"
    assert set(alone.states) == {"cannot tell"}
    assert "--reference" in verdict(alone)
    with_others = judged(foreign, known=True)
    assert with_others.reason is None
    assert with_others.share("does not fit") > 0.75


def test_moments_that_are_all_alike_are_told_apart_by_a_reference_only():
    one = scenes(seconds=2, seed=4)[:1].expand(120, -1)
    uniform = embedded(near(one, seed=1), near(one, seed=2))
    assert judged(uniform).reason == "too uniform or foreign throughout"
    assert judged(uniform, known=True).share("fits") > 0.75


def test_silence_is_silence_and_never_foreign():
    own = matched()
    silent_T = np.zeros(120, bool)
    silent_T[40:80] = True
    for known in (False, True):
        result = judged(embedded(own.audio_TD, own.visual_TD, silent_T=silent_T), known=known)
        assert set(result.states[40:80]) == {"silent"}
        assert "does not fit" not in result.states
    nothing = judged(embedded(own.audio_TD, own.visual_TD, silent_T=np.ones(120, bool)))
    assert (nothing.reason, set(nothing.states)) == ("no sound", {"silent"})


def test_a_still_picture_is_never_called_foreign():
    foreign = embedded(scenes(seconds=60, seed=8), scenes(seconds=60, seed=9), still=True)
    result = judged(foreign, known=True)
    assert "does not fit" not in result.states
    assert result.share("still") > 0.9


def test_a_short_video_gets_no_number_but_with_a_reference():
    short = matched(seconds=10)
    alone = judged(short)
    assert (alone.reason, alone.null_percentiles) == ("too short", None)
    said = verdict(alone)
    assert "Not enough to tell" in said
    assert alone.short_video is not None
    agreement, num_ways = alone.short_video.agreement, alone.short_video.num_ways
    assert f"agrees with its pictures by {agreement:.3f}. Moved to {num_ways} other places" in said
    assert f"needs {alone.needed_seconds:.0f} s of sound; a shorter one needs other videos" in said
    assert "Too short to look for an offset: it needs 30 s of video" in said
    assert judged(short, known=True).share("fits") > 0.75


def test_one_moment_is_enough_for_an_answer():
    for known in (False, True):
        result = judged(matched(seconds=0.5), known=known)
        assert len(result.states) == 1
        json.dumps(to_dict(result), allow_nan=False)


@pytest.mark.parametrize("steps", [-3, 3])
def test_a_shift_is_found_with_its_sign_in_words(steps):
    own = matched()
    shifted = embedded(torch.roll(own.audio_TD, steps, 0), own.visual_TD)
    result = judged(shifted)
    assert result.offset.seconds == pytest.approx(steps / 2, abs=0.2)
    assert f"The sound is 1.5 s {'late' if steps > 0 else 'early'}" in verdict(result)


@pytest.mark.parametrize("num_heard", [0, 1])
def test_a_reference_without_sound_is_refused(num_heard):
    silence = np.full(len(REFERENCE.clips[0].seconds_T), -120, np.float32)
    clips = [
        part if number < num_heard else replace(part, loudness_T=silence)
        for number, part in enumerate(REFERENCE.clips)
    ]
    with pytest.raises(DatasetError, match=f"{num_heard} of 40 clips have any"):
        Judge(reference=replace(REFERENCE, clips=tuple(clips)))


def test_a_short_mismatch_is_not_reported():
    result = judge_agreement(foreign_between(20, 35), config=AgreementConfig(min_span_seconds=30))
    assert "does not fit" not in result.states


def test_the_same_video_gets_the_same_answer():
    video = foreign_between(20, 35)
    again = judge_agreement(video, reference=REFERENCE)
    assert to_dict(again) == to_dict(judge_with_reference().judge(video))


def test_the_table_has_a_row_for_each_second_and_the_spans_cover_the_video():
    result = judged(foreign_between(20, 35))
    assert [row["time_seconds"] for row in per_second(result)] == list(range(60))
    assert (
        to_csv(result).splitlines()[0].startswith("time_seconds,agreement,chance_low,chance_mid,chance_high")
    )
    ends = [(part.start_seconds, part.stop_seconds) for part in result.spans]
    assert (ends[0][0], ends[-1][1]) == (0, 60)
    assert all(one[1] == pytest.approx(other[0]) for one, other in pairwise(ends))
    assert json.loads(json.dumps(to_dict(result), allow_nan=False))["shares"]["does not fit"] > 0.15


def test_false_alarms_keep_to_the_stated_rate_on_sound_like_that_of_the_reference():
    flagged = [
        judged(matched(seed=seed, seconds=30), known=True).states.count("does not fit") / 60
        for seed in range(20, 28)
    ]
    assert np.mean(flagged) <= 0.05


def test_a_loop_is_not_called_out_of_step():
    """A loop agrees with itself a turn later as well as at once: the lag is ambiguous, nothing is late."""
    turn_TD = scenes(seconds=3, scene_seconds=0.5)
    visual_TD = turn_TD.repeat(20, 1)
    result = judged(embedded(near(visual_TD), visual_TD))
    assert result.reason != "out of step"


def in_one_half(rows_TD, *, upper=False):
    """The same vectors with the other half of their axes taken away."""
    half = rows_TD.shape[1] // 2
    keep_D = (torch.arange(rows_TD.shape[1]) >= half) == upper
    return F.normalize(rows_TD * keep_D, dim=1)


def test_a_video_of_another_kind_than_the_reference_is_not_judged():
    """Sounds or frames that the reference does not know: that they agree little says nothing."""

    def of_one_kind(video):
        return replace(video, audio_TD=in_one_half(video.audio_TD), visual_TD=in_one_half(video.visual_TD))

    judge = Judge(reference=replace(REFERENCE, clips=tuple(map(of_one_kind, REFERENCE.clips))))
    known = of_one_kind(matched(seed=3))
    assert judge.judge(known).reason is None
    for sense in ("audio_TD", "visual_TD"):
        other_TD = in_one_half(getattr(matched(seed=3), sense), upper=True)
        result = judge.judge(replace(known, **{sense: other_TD}))
        assert result.reason == "unlike the reference"
        assert "does not fit" not in result.states
        assert "unlike those of the reference" in verdict(result)

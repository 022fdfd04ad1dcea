"""Frames and sound of a generated clip agree with its truth; a control changes exactly one thing."""

import numpy as np
import pytest

from cavmae_sync.stage import ProceduralPack, StageConfig, generate_clip
from cavmae_sync.stage.truth_file import to_table

PACK = ProceduralPack()
SMALL = {"variant": "easy", "frame_pixels": 96, "clip_seconds": 4, "frames_per_second": 6}


def made(index=0, **changes):
    return generate_clip(index, config=StageConfig(**{**SMALL, **changes}), pack=PACK)


def levels(waveform_S, clip, *, window_seconds=0.2):
    """RMS of a waveform around each frame, by a plain loop."""
    half = round(window_seconds / 2 * 16_000)
    middles = (clip.truth.frame_seconds_T * 16_000).astype(int)
    return np.array([np.sqrt(np.mean(waveform_S[max(m - half, 0) : m + half] ** 2)) for m in middles])


def sounding_frames(truth):
    return np.array([bool(truth.sounding(seconds)) for seconds in truth.frame_seconds_T])


def areas(truth, number):
    return np.array([truth.mask(t, [number]).sum() for t in range(len(truth.frame_seconds_T))])


def test_the_same_clip_is_made_every_time():
    one, two = made(3), made(3)
    np.testing.assert_array_equal(one.frames_THWC, two.frames_THWC)
    np.testing.assert_array_equal(one.waveform_S, two.waveform_S)
    assert to_table(one.truth).equals(to_table(two.truth))


def test_index_seed_and_split_each_give_another_clip():
    first = made(0).frames_THWC
    for other in (made(1), made(0, seed=1), made(0, split="test")):
        assert not np.array_equal(first, other.frames_THWC)


def test_shapes_times_and_ranges():
    clip = made(0)
    assert clip.frames_THWC.shape == (24, 96, 96, 3)
    assert clip.frames_THWC.dtype == np.uint8
    assert clip.waveform_S.shape == (64_000,)
    assert np.abs(clip.waveform_S).max() <= 1.0
    np.testing.assert_allclose(clip.truth.frame_seconds_T, np.arange(24) / 6)
    assert clip.truth.object_map(0).shape == (96, 96)


def test_every_clip_has_a_label_that_is_seen_and_heard():
    for index in range(6):
        truth = made(index).truth
        heard = {event.object_number for event in truth.events}
        seen_and_heard = {t.class_name for t in truth.objects if t.is_on_stage and t.number in heard}
        assert truth.labels == tuple(sorted(seen_and_heard)) != ()


def test_stages_hold_silent_objects_and_sounds_from_off_stage():
    truths = [made(index, off_stage_fraction=0.3).truth for index in range(12)]
    heard = [{event.object_number for event in truth.events} for truth in truths]
    assert any(
        t.is_on_stage and t.number not in h for c, h in zip(truths, heard, strict=True) for t in c.objects
    )
    assert any(not t.is_on_stage for truth in truths for t in truth.objects)
    for truth in truths:
        hidden = {thing.number for thing in truth.objects if not thing.is_on_stage}
        assert not any(event.is_on_screen for event in truth.events if event.object_number in hidden)


def test_masks_are_the_pixels_of_the_objects():
    # An independent estimate of the background: what most frames agree on, far from any object.
    clip = made(1, min_objects=2, max_objects=2, control="both_silent_moving", crossing_fraction=0)
    objects_THW = np.stack([clip.truth.object_map(t) for t in range(24)])
    background_THW = objects_THW == 0
    is_ever_background = background_THW.any(axis=0)
    frames = np.where(background_THW[..., None], clip.frames_THWC.astype(float), np.nan)
    background_HWC = np.nanmedian(frames[:, is_ever_background], axis=0)
    difference = np.abs(clip.frames_THWC[:, is_ever_background].astype(float) - background_HWC).max(axis=-1)
    differs = difference > 12
    inside = ~background_THW[:, is_ever_background]
    overlap = (differs & inside).sum() / (differs | inside).sum()
    assert overlap > 0.93


def test_boxes_enclose_the_masks_exactly():
    truth = made(2).truth
    for thing in truth.objects:
        for t, box in enumerate(thing.boxes_T4):
            rows, columns = np.nonzero(truth.mask(t, [thing.number]))
            if len(rows) == 0:
                assert (box == -1).all()
            else:
                assert tuple(box) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_a_hidden_part_is_not_visible():
    clips = [made(index, min_objects=3, crossing_fraction=1).truth for index in range(4)]
    shares = np.concatenate([t.visible_share_T for truth in clips for t in truth.objects if t.is_on_stage])
    assert shares.min() == 0.0
    assert shares.max() == 1.0


def test_large_objects_are_drawn_larger():
    things = [
        t
        for i in range(10)
        for t in made(i, max_objects=1, control="both_silent_moving").truth.objects
        if t.is_on_stage
    ]
    sizes = [t.size for t in things]
    sides = [
        np.max([t.boxes_T4[:, 2] - t.boxes_T4[:, 0], t.boxes_T4[:, 3] - t.boxes_T4[:, 1]]) for t in things
    ]
    assert np.corrcoef(sizes, sides)[0, 1] > 0.95
    assert min(sides) > 0.3 * 96
    assert max(sides) < 0.7 * 96


def test_events_are_where_the_energy_is():
    clip = made(0, max_objects=1, off_stage_fraction=0)
    level_T = levels(clip.waveform_S, clip)
    sounding = sounding_frames(clip.truth)
    assert np.median(level_T[sounding]) > 5 * np.median(level_T[~sounding])


def test_an_object_pulses_with_its_own_loudness():
    for index in range(4):
        clip = made(index, max_objects=1, off_stage_fraction=0)
        (thing,) = clip.truth.objects
        measured_T = levels(clip.waveform_S, clip)
        is_whole_T = thing.visible_share_T == 1
        area = areas(clip.truth, thing.number)[is_whole_T]
        assert np.corrcoef(np.sqrt(measured_T[is_whole_T]), area)[0, 1] > 0.85
        np.testing.assert_allclose(np.corrcoef(measured_T, thing.loudness_T)[0, 1], 1.0, atol=0.05)


def test_without_pulse_an_object_never_changes():
    clip = made(0, control="both_silent_moving", max_objects=1)
    thing = clip.truth.objects[0]
    assert len(set(areas(clip.truth, 1)[thing.visible_share_T == 1])) == 1


def test_silent_objects_stay_dim_while_others_pulse():
    truth = made(0, min_objects=2, max_objects=2, silent_fraction=1, off_stage_fraction=0).truth
    loudest = [thing.loudness_T.max() for thing in truth.objects]
    assert sorted(value > 0.3 for value in loudest) == [False, True]
    assert min(loudest) == 0


def test_flipped_mirrors_the_frames_and_keeps_the_sound():
    plain, spoilt = made(2), made(2, control="flipped")
    np.testing.assert_array_equal(spoilt.frames_THWC, plain.frames_THWC[:, :, ::-1])
    np.testing.assert_array_equal(spoilt.waveform_S, plain.waveform_S)
    np.testing.assert_array_equal(spoilt.truth.object_map(5), plain.truth.object_map(5)[:, ::-1])
    for before, after in zip(plain.truth.objects, spoilt.truth.objects, strict=True):
        shown = before.boxes_T4[:, 0] >= 0
        np.testing.assert_array_equal(after.boxes_T4[shown, 0], 96 - before.boxes_T4[shown, 2])


def test_shifted_sound_comes_a_second_and_a_half_later_over_the_same_frames():
    options = {"noise_decibels": -90, "off_stage_fraction": 0, "max_objects": 1}
    plain, spoilt = made(4, **options), made(4, control="shifted_sound", **options)
    np.testing.assert_array_equal(spoilt.frames_THWC, plain.frames_THWC)
    lag = np.fft.irfft(np.fft.rfft(spoilt.waveform_S, 2**17) * np.conj(np.fft.rfft(plain.waveform_S, 2**17)))
    assert lag[:40_000].argmax() / 16_000 == pytest.approx(1.5, abs=0.001)
    assert np.abs(spoilt.waveform_S[:24_000]).max() < 0.001
    assert spoilt.truth.events[0].start_seconds == pytest.approx(plain.truth.events[0].start_seconds + 1.5)
    assert all(event.stop_seconds <= 4 for event in spoilt.truth.events)


def test_silent_is_digital_silence_over_the_same_frames():
    plain, spoilt = made(5), made(5, control="silent")
    np.testing.assert_array_equal(spoilt.frames_THWC, plain.frames_THWC)
    assert not spoilt.waveform_S.any()
    assert spoilt.truth.events == ()
    assert not any(thing.loudness_T.any() for thing in spoilt.truth.objects)
    assert spoilt.truth.labels == plain.truth.labels


def test_both_silent_moving_moves_without_pulse_over_noise_alone():
    spoilt = made(0, control="both_silent_moving", max_objects=1)
    assert spoilt.truth.events == ()
    assert 0 < np.sqrt(np.mean(spoilt.waveform_S**2)) < 0.01
    assert np.ptp(spoilt.truth.objects[0].boxes_T4[:, 0]) > 3
    assert len(set(areas(spoilt.truth, 1))) < 4  # constant but for the frame's edge


def test_swapped_sound_is_the_sound_of_foreign_objects():
    for index in range(6):
        plain, spoilt = made(index), made(index, control="swapped_sound")
        np.testing.assert_array_equal(spoilt.frames_THWC, plain.frames_THWC)
        assert spoilt.truth.labels == plain.truth.labels
        heard = {event.object_number for event in spoilt.truth.events}
        foreign = {thing.class_name for thing in spoilt.truth.objects if thing.number in heard}
        assert foreign
        assert not foreign & {thing.class_name for thing in plain.truth.objects}
        assert not any(event.is_on_screen for event in spoilt.truth.events)
        assert spoilt.waveform_S.shape == plain.waveform_S.shape


def bind(index=0, **changes):
    return made(index, variant="bind", **changes)


def test_in_bind_exactly_one_object_sounds_at_every_moment_for_half_a_second_or_longer():
    for index in range(4):
        truth = bind(index, clip_seconds=10).truth
        assert {len(truth.sounding(seconds)) for seconds in np.arange(0, 10, 0.01)} == {1}
        lengths = [e.stop_seconds - e.start_seconds for e in truth.events if 0 < e.start_seconds < 9]
        assert min(lengths) >= 0.5
        assert max(lengths) <= 0.9
        assert [e.object_number for e in truth.events].count(1) >= 3
        following = zip(truth.events, truth.events[1:], strict=False)
        assert all(one.object_number != two.object_number for one, two in following)


def test_in_bind_every_moment_is_equally_loud():
    for index in range(4):
        clip = bind(index, noise_decibels=-90)
        level_T = levels(clip.waveform_S, clip)[1:-1]
        assert level_T.std() / level_T.mean() < 0.19  # 1.5 decibels: clicks cannot be levelled further


def test_in_bind_the_mean_colour_is_the_same_in_every_frame():
    for index in range(4):
        colour_T3 = bind(index).frames_THWC.mean(axis=(1, 2))
        assert np.ptp(colour_T3, axis=0).max() < 0.05


def test_in_bind_the_rim_of_the_sounding_object_is_warm_above():
    def warmth_above(clip, frame, number):
        """Red minus blue of the upper edge of a rim, less that of its lower edge."""
        left, top, right, bottom = clip.truth.objects[number - 1].boxes_T4[frame]
        middle = slice((2 * left + right) // 3, (left + 2 * right) // 3)
        frame_HWC = clip.frames_THWC[frame].astype(int)
        edges = (frame_HWC[rows, middle] for rows in (slice(top + 1, top + 5), slice(bottom - 5, bottom - 1)))
        above, below = ((edge[..., 0] - edge[..., 2]).mean() for edge in edges)
        return above - below

    right, total = 0, 0
    for index in range(4):
        clip = bind(index)
        for frame, seconds in enumerate(clip.truth.frame_seconds_T):
            warmest = max(range(1, 5), key=lambda number: warmth_above(clip, frame, number))
            right += warmest in clip.truth.sounding(seconds)
            total += 1
    assert right / total > 0.9


def test_in_no_pulse_nothing_shows_what_sounds():
    with_pulse, without = bind(3), made(3, variant="no_pulse")
    np.testing.assert_array_equal(with_pulse.waveform_S, without.waveform_S)
    np.testing.assert_array_equal(with_pulse.truth.object_map(7), without.truth.object_map(7))
    silent = bind(3, control="both_silent_moving")
    np.testing.assert_array_equal(without.frames_THWC, silent.frames_THWC)

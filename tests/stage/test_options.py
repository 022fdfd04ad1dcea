"""Options make a clip harder; none is on by default, and each leaves the rest of the clip alone."""

import numpy as np
import pytest

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import ProceduralPack, StageConfig, generate_clip
from cavmae_sync.stage.casting import num_quarters, quartets
from cavmae_sync.stage.pack import objects_by_class
from cavmae_sync.stage.plan import plan_scene

PACK = ProceduralPack()
SMALL = {"frame_pixels": 64, "clip_seconds": 6, "frames_per_second": 4, "split": "test"}


def made(index=0, **changes):
    return generate_clip(index, config=StageConfig(**{**SMALL, **changes}), pack=PACK)


def scenes(count, **changes):
    config = StageConfig(split="test", **changes)
    cast = objects_by_class(PACK, split="test", unknown=False)
    return [plan_scene(index, config=config, cast=cast) for index in range(count)]


def test_all_options_are_off_by_default():
    config = StageConfig()
    for name in ("off_stage", "overlap", "occlusion"):
        assert getattr(config, f"{name}_fraction") == 0
    assert (config.num_cuts, config.music_level, config.noise_level) == (0, 0, 0)


def test_sound_off_screen_is_a_fifth_object_that_takes_turns_and_is_never_seen():
    truth = made(off_stage_fraction=1).truth
    assert [thing.is_on_stage for thing in truth.objects] == [True] * 4 + [False]
    assert 5 in {event.object_number for event in truth.events}
    assert not any(event.is_on_screen for event in truth.events if event.object_number == 5)
    assert {len(truth.sounding(seconds)) for seconds in np.arange(0, 6, 0.05)} == {1}


def test_overlapping_sounds_are_two_at_a_time_and_no_louder():
    clip = made(overlap_fraction=1)
    assert {len(clip.truth.sounding(seconds)) for seconds in np.arange(0, 6, 0.05)} == {2}
    heard = [sum(thing.loudness_T**2 for thing in each.truth.objects)[2:-2].mean() for each in (clip, made())]
    assert heard[0] == pytest.approx(heard[1], rel=0.1)


def test_scene_cuts_change_background_and_places_and_not_the_sound():
    plain, cut = made(3), made(3, num_cuts=2)
    np.testing.assert_array_equal(cut.waveform_S, plain.waveform_S)
    # Each shot has a mean colour of its own, which all its frames share.
    colours = [len(np.unique(each.frames_THWC.mean(axis=(1, 2, 3)).round(1))) for each in (plain, cut)]
    assert colours == [1, 3]
    (before, after) = (cut.truth.object_map(frame) for frame in (0, -1))
    assert (before == after).mean() < 0.7


def test_a_post_passes_in_front_of_everything():
    plain, hidden = made(1), made(1, occlusion_fraction=1)
    np.testing.assert_array_equal(hidden.waveform_S, plain.waveform_S)
    lost = [
        thing.visible_share_T.min() < 0.7 * other.visible_share_T.min()
        for thing, other in zip(hidden.truth.objects, plain.truth.objects, strict=True)
    ]
    assert any(lost)
    assert ptp_of_mean_colour(hidden) < 2.0


def ptp_of_mean_colour(clip):
    return np.ptp(clip.frames_THWC.mean(axis=(1, 2)), axis=0).max()


@pytest.mark.parametrize("option", ["music_level", "noise_level"])
def test_music_and_noise_are_heard_behind_the_same_clip(option):
    plain, behind = made(2), made(2, **{option: 0.5})
    np.testing.assert_array_equal(behind.frames_THWC, plain.frames_THWC)
    share = np.corrcoef(plain.waveform_S, behind.waveform_S)[0, 1]
    assert 0.8 < share < 0.97  # half as loud: 1 / sqrt(1.25) = 0.89


def test_clips_share_twelve_quartets_of_classes():
    found = {tuple(sorted(actor.thing.class_name for actor in scene.actors)) for scene in scenes(120)}
    assert len(found) == 12


def test_the_objects_of_a_clip_are_large_and_small_blue_and_red_plain_and_striped():
    spread = [num_quarters([actor.thing for actor in scene.actors]) for scene in scenes(40)]
    assert min(spread) >= 11  # of 12: a quarter of each attribute for each object
    means = [np.mean([actor.thing.size for actor in scene.actors]) for scene in scenes(40)]
    assert np.std(means) < 0.06  # four objects chosen freely: 0.14


def test_fewer_than_four_classes_cannot_take_turns():
    with pytest.raises(DatasetError, match="there are 3 classes: a, b, c"):
        quartets(["a", "b", "c"])
    assert {len(group) for group in quartets(list("abcdef"))} == {4}

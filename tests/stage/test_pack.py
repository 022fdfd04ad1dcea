"""Objects of different splits are different objects, and in the built-in pack look and sound go together."""

from itertools import pairwise

import numpy as np
import pytest

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import ProceduralPack, StageConfig, StageObject, generate_clip
from cavmae_sync.stage.pack import deal, objects_by_class

PACK = ProceduralPack()
CLASSES = sorted({thing.class_name for thing in PACK.objects})


def thing(class_name, *, size=0.5, warmth=0.5, texture=0.5):
    return StageObject(
        name=f"{class_name}-test", class_name=class_name, size=size, warmth=warmth, texture=texture
    )


def spectrum_of(some_thing):
    """Frequencies in hertz and the power at each, of two seconds of an object."""
    wave_S = PACK.sound(some_thing, num_samples=32_000, generator=np.random.default_rng(0))
    return np.fft.rfftfreq(32_000, 1 / 16_000), np.abs(np.fft.rfft(wave_S)) ** 2


def centroid_octaves(some_thing):
    frequencies_hz, power = spectrum_of(some_thing)
    heard = frequencies_hz > 30
    return np.average(np.log2(frequencies_hz[heard]), weights=power[heard])


def names(split, *, unknown=False):
    return {t.name for ts in objects_by_class(PACK, split=split, unknown=unknown).values() for t in ts}


def test_there_are_at_least_24_ordinary_classes_and_some_reserved_ones():
    assert len(set(CLASSES) - PACK.unknown_classes) >= 24
    assert len(PACK.unknown_classes) >= 4


def test_splits_share_no_object_and_together_are_everything():
    train, validation, test = names("train"), names("validation"), names("test")
    assert not train & validation
    assert not train & test
    assert not validation & test
    ordinary = {t.name for t in PACK.objects if t.class_name not in PACK.unknown_classes}
    assert train | validation | test == ordinary
    assert len(train) / len(ordinary) == pytest.approx(0.7, abs=0.02)


def test_no_two_objects_have_the_same_attributes():
    attributes = {(t.class_name, t.size, t.warmth, t.texture) for t in PACK.objects}
    assert len(attributes) == len(PACK.objects)


def test_clips_of_different_seeds_still_keep_the_splits_apart():
    shown = {}
    for split, seed in (("train", 0), ("test", 5)):
        config = StageConfig(split=split, seed=seed, frame_pixels=32, clip_seconds=1, frames_per_second=1)
        clips = [generate_clip(index, config=config, pack=PACK) for index in range(8)]
        shown[split] = {t.name for clip in clips for t in clip.truth.objects}
    assert not shown["train"] & shown["test"]
    assert shown["test"] <= names("test")


def test_reserved_classes_appear_among_unknown_classes_only():
    common = {"split": "test", "frame_pixels": 32, "clip_seconds": 1, "frames_per_second": 1}
    for classes, reserved in (("known", False), ("unknown", True)):
        config = StageConfig(classes=classes, **common)
        for index in range(6):
            for shown in generate_clip(index, config=config, pack=PACK).truth.objects:
                assert (shown.class_name in PACK.unknown_classes) == reserved


def test_small_classes_are_dealt_to_every_split_first():
    few = [StageObject(name=f"dog{n}", class_name="dog", size=0.5) for n in range(4)]
    assert [split for _, split in deal(few)] == ["train", "test", "validation", "train"]
    assert deal(few) == deal(reversed(few))


def test_a_split_named_by_the_pack_holds():
    few = [StageObject(name=f"dog{n}", class_name="dog", size=0.5, split="test") for n in range(4)]
    assert [split for _, split in deal(few)] == ["test"] * 4


def test_a_split_without_objects_is_refused():
    class Lonely:
        fingerprint = "lonely"
        unknown_classes = frozenset()
        objects = (StageObject(name="dog0", class_name="dog", size=0.5),)

    with pytest.raises(DatasetError, match=r"no object for split 'test' \(1 ordinary classes, 1 objects\)"):
        objects_by_class(Lonely(), split="test", unknown=False)


def test_attributes_outside_their_range_are_refused():
    with pytest.raises(ValueError, match=r"warmth of dog is 1\.2, but must lie in \[0, 1\]"):
        StageObject(name="dog", class_name="dog", size=0.5, warmth=1.2)


def test_every_class_draws_an_opaque_body_and_makes_a_lasting_sound():
    for class_name in CLASSES:
        rgba = PACK.draw(thing(class_name))
        assert rgba.dtype == np.uint8
        assert max(rgba.shape[:2]) > 200, class_name
        assert 0.2 < (rgba[..., 3] == 255).mean() < 1.0, class_name
        wave_S = PACK.sound(thing(class_name), num_samples=16_000, generator=np.random.default_rng(0))
        assert wave_S.dtype == np.float32
        assert np.isfinite(wave_S).all(), class_name
        is_loud_from_the_start = np.sqrt(np.mean(wave_S[:3200] ** 2)) > 0.2 * np.sqrt(np.mean(wave_S**2))
        assert is_loud_from_the_start, class_name


def test_larger_is_lower():
    for class_name in CLASSES:
        octaves = [centroid_octaves(thing(class_name, size=size)) for size in (0.05, 0.35, 0.65, 0.95)]
        assert octaves[0] - octaves[-1] > 0.5, class_name
        assert all(high > low for high, low in pairwise(octaves)), class_name


def test_redder_is_brighter():
    for class_name in CLASSES:
        split_hz = 1.3 * 2.0 ** centroid_octaves(thing(class_name, warmth=0.0))
        shares = []
        for warmth in (0.05, 0.5, 0.95):
            frequencies_hz, power = spectrum_of(thing(class_name, warmth=warmth))
            shares.append(power[frequencies_hz > split_hz].sum() / power.sum())
        assert shares[0] < shares[1] < shares[2], class_name


def test_more_stripes_is_faster():
    def lowest_strong_rate_hz(class_name, texture):
        wave_S = PACK.sound(
            thing(class_name, texture=texture), num_samples=64_000, generator=np.random.default_rng(1)
        )
        envelope = np.sqrt(np.mean(wave_S.reshape(-1, 160) ** 2, axis=1))
        swing = np.abs(np.fft.rfft(envelope - envelope.mean()))
        rates_hz = np.fft.rfftfreq(len(envelope), 0.01)
        plausible = (rates_hz > 1.3) & (rates_hz < 18)
        strong = swing > 0.5 * swing[plausible].max()  # short clicks swing at multiples of their rate too
        return rates_hz[plausible & strong][0]

    for class_name in CLASSES:
        slow, fast = (lowest_strong_rate_hz(class_name, texture) for texture in (0.1, 0.9))
        assert fast > 1.5 * slow, class_name


def test_the_body_goes_from_blue_to_red_and_stripes_become_more():
    def colour(warmth):
        rgba = PACK.draw(thing("ball", warmth=warmth)).reshape(-1, 4)
        return rgba[rgba[:, 3] == 255, :3].mean(axis=0)

    def changes_along_the_middle(texture):
        row = PACK.draw(thing("cloud", texture=texture))[130, :, :3].astype(int).sum(axis=1)
        return (np.abs(np.diff(row)) > 60).sum()

    assert colour(0.05)[2] > 2 * colour(0.05)[0]
    assert colour(0.95)[0] > 2 * colour(0.95)[2]
    assert changes_along_the_middle(0.1) < changes_along_the_middle(0.5) < changes_along_the_middle(0.9)

"""Packs from users: read as they are, or refused with a message that says what is missing."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import FolderPack, StageConfig, StageTruth, make_stage
from cavmae_sync.stage.casting import choose_quartet
from cavmae_sync.stage.pack import objects_by_class
from cavmae_sync.stage.recordings import shorten_pauses

CLASSES = ("dog", "bell", "drum", "cow", "car", "owl")


def write_sound(path, *, hz, seconds=0.4):
    import wave

    samples = (12_000 * np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000)).astype("<i2")
    silence = np.zeros(4000, "<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.concatenate([silence, samples]).tobytes())


def write_pack(folder, *, classes=CLASSES, per_class=3):
    lines = ["name,class"]
    for number, class_name in enumerate(classes):
        for copy in range(per_class):
            name = f"{class_name}{copy}"
            image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
            ImageDraw.Draw(image).ellipse((10, 5, 49, 34), fill=(255, 40 * number, 60 * copy, 255))
            image.save(folder / f"{name}.png")
            write_sound(folder / f"{name}.wav", hz=300 + 200 * number + 40 * copy)
            lines.append(f"{name},{class_name}")
    (folder / "classes.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def pack(tmp_path):
    folder = tmp_path / "pack"
    folder.mkdir()
    return write_pack(folder)


def test_a_pack_gives_cropped_images_and_sound_without_leading_silence(pack):
    loaded = FolderPack(pack)
    assert len(loaded.objects) == 18
    assert len(loaded.unknown_classes) == 1
    dog = next(thing for thing in loaded.objects if thing.name == "dog0")
    assert loaded.draw(dog).shape == (30, 40, 4)
    sound_S = loaded.sound(dog, num_samples=16_000, generator=np.random.default_rng(0))
    assert sound_S.shape == (16_000,)
    assert np.abs(sound_S[:200]).max() > 0.1
    assert np.fft.rfft(sound_S).__abs__().argmax() == pytest.approx(300, abs=4)


def test_clips_are_made_from_a_pack(pack, tmp_path):
    config = StageConfig(frame_pixels=64, clip_seconds=2, frames_per_second=5, split="test")
    make_stage(tmp_path / "out", config=config, num_clips=2, pack=pack, num_workers=1)
    truth = StageTruth(tmp_path / "out")["test-0-000000"]
    assert {thing.class_name for thing in truth.objects} <= set(CLASSES)
    assert truth.objects[0].warmth is None
    (pack / "dog0.png").write_bytes((pack / "cow0.png").read_bytes())
    with pytest.raises(DatasetError, match="another stage: pack is 'folder-"):
        make_stage(tmp_path / "out", config=config, num_clips=2, pack=pack, num_workers=1)


def test_no_list_of_classes(tmp_path):
    with pytest.raises(DatasetError, match=r"has no classes\.csv"):
        FolderPack(tmp_path)


def test_another_header(pack):
    (pack / "classes.csv").write_text("file,label\ndog0,dog\n")
    with pytest.raises(DatasetError, match="Its first line must be: name,class"):
        FolderPack(pack)


def test_too_few_classes(pack):
    (pack / "classes.csv").write_text("name,class\ndog0,dog\ncow0,cow\n")
    with pytest.raises(DatasetError, match="has 2 classes; a pack needs at least 4"):
        FolderPack(pack)


def test_missing_sound(pack):
    (pack / "dog1.wav").unlink()
    with pytest.raises(DatasetError, match=r"dog1 has no sound: none of \.ogg, \.wav, \.flac"):
        FolderPack(pack)


def test_missing_image(pack):
    (pack / "dog1.png").unlink()
    with pytest.raises(DatasetError, match=r"dog1\.png is missing"):
        FolderPack(pack)


def test_image_without_alpha(pack):
    Image.new("RGB", (20, 20), "red").save(pack / "dog1.png")
    with pytest.raises(DatasetError, match=r"dog1\.png has no transparent pixel \(mode RGB\)"):
        FolderPack(pack)


def test_empty_image(pack):
    Image.new("RGBA", (20, 20)).save(pack / "dog1.png")
    with pytest.raises(DatasetError, match=r"dog1\.png is fully transparent"):
        FolderPack(pack)


def test_not_an_image(pack):
    (pack / "dog1.png").write_text("no")
    with pytest.raises(DatasetError, match=r"dog1\.png is not a PNG"):
        FolderPack(pack)


def test_another_kind_of_image(pack):
    Image.new("RGBA", (20, 20)).save(pack / "dog1.png", "WEBP")
    with pytest.raises(DatasetError, match=r"dog1\.png is not a PNG"):
        FolderPack(pack)


def test_half_an_image(pack):
    whole = (pack / "dog1.png").read_bytes()
    (pack / "dog1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"dog1\.png is not a PNG that can be read"):
        FolderPack(pack)


def test_an_image_of_too_many_pixels(pack):
    Image.new("1", (20_000, 20_000)).save(pack / "dog1.png")
    with pytest.raises(DatasetError, match=r"dog1\.png .*400000000 pixels"):
        FolderPack(pack)


def test_a_name_that_points_out_of_the_pack(pack):
    classes = (pack / "classes.csv").read_text()
    for name in ("../dog1", "/etc/dog1", "..\\dog1"):
        (pack / "classes.csv").write_text(f"{classes}{name},dog\n")
        with pytest.raises(DatasetError, match="which points to another folder"):
            FolderPack(pack)


def test_silent_sound(pack):
    write_sound(pack / "dog1.wav", hz=0)
    loaded = FolderPack(pack)
    dog = next(thing for thing in loaded.objects if thing.name == "dog1")
    with pytest.raises(DatasetError, match=r"dog1\.wav is silent"):
        loaded.sound(dog, num_samples=100, generator=np.random.default_rng(0))


def test_a_list_with_splits_says_which_objects_training_sees(pack):
    splits = {"dog": "train", "bell": "train", "drum": "train", "cow": "train", "car": "train"}
    lines = ["name,class,split"]
    for class_name in CLASSES:
        first = splits.get(class_name, "validation")
        lines += [f"{class_name}{n},{class_name},{s}" for n, s in enumerate((first, "validation", "test"))]
    (pack / "classes.csv").write_text("\n".join(lines) + "\n")
    loaded = FolderPack(pack)
    assert loaded.unknown_classes == {"owl"}
    test = objects_by_class(loaded, split="test", unknown=False)
    assert {name: [t.name for t in things] for name, things in test.items()} == {
        name: [f"{name}2"] for name in sorted(splits)
    }
    owls = objects_by_class(loaded, split="test", unknown=True)
    assert [t.name for t in owls["owl"]] == ["owl2"]


def test_a_line_without_a_split_is_refused_where_others_have_one(pack):
    (pack / "classes.csv").write_text("name,class,split\n" + "".join(f"{c}0,{c},train\n" for c in CLASSES))
    FolderPack(pack)
    with (pack / "classes.csv").open("a") as file:
        file.write("dog1,dog,\n")
    with pytest.raises(DatasetError, match="gives dog1 the split ''"):
        FolderPack(pack)


def test_further_recordings_are_heard_too(pack):
    write_sound(pack / "dog0.second.wav", hz=2000)
    loaded = FolderPack(pack)
    dog = next(thing for thing in loaded.objects if thing.name == "dog0")
    pitches = set()
    for seed in range(12):
        sound_S = loaded.sound(dog, num_samples=16_000, generator=np.random.default_rng(seed))
        pitches.add(round(float(np.abs(np.fft.rfft(sound_S)).argmax()), -2))
    assert pitches == {300, 2000}


def test_pauses_of_a_recording_are_shortened():
    ticks_S = np.zeros(32_000, np.float32)
    ticks_S[:320] = ticks_S[16_000:16_320] = 0.5
    heard_S = shorten_pauses(ticks_S)
    assert len(heard_S) == 2 * (320 + 1600)
    assert np.flatnonzero(heard_S)[[0, 320]].tolist() == [0, 1920]


def test_photographs_of_a_split_stand_behind_its_objects(pack):
    for split, colour in (("train", "red"), ("validation", "green"), ("test", "blue")):
        (pack / "backdrops" / split).mkdir(parents=True)
        Image.new("RGB", (80, 50), colour).save(pack / "backdrops" / split / "wall.png")
    loaded = FolderPack(pack)
    assert loaded.fingerprint == FolderPack(pack).fingerprint
    for split, channel in (("train", 0), ("test", 2)):
        backdrop = loaded.backdrop(split=split, pixels=24, generator=np.random.default_rng(0))
        assert backdrop.shape == (24, 24, 3)
        assert backdrop.mean(axis=(0, 1)).argmax() == channel
    Image.new("RGB", (80, 50), "cyan").save(pack / "backdrops" / "train" / "wall.png")
    assert FolderPack(pack).fingerprint != loaded.fingerprint
    (pack / "backdrops" / "train" / "wall.png").unlink()
    with pytest.raises(DatasetError, match="has no photograph for train"):
        FolderPack(pack)


def test_every_object_of_a_pack_is_chosen_about_equally_often(tmp_path):
    pack = FolderPack(write_pack(tmp_path, per_class=8))
    cast = objects_by_class(pack, split="train", unknown=False)
    times = Counter(
        thing.name for seed in range(600) for thing in choose_quartet(cast, np.random.default_rng(seed))
    )
    for things in cast.values():
        numbers = [times[thing.name] for thing in things]
        assert min(numbers) > 0.4 * max(numbers)

"""Packs from users: read as they are, or refused with a message that says what is missing."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import FolderPack, StageConfig, StageTruth, make_stage

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

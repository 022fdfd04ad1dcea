"""ADE20K with sound prompts: a tiny folder in the layout of DenseAV."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import log_mel
from cavmae_sync.tasks.localization.ade20k import TABLE_FILE, Ade20kFolder
from cavmae_sync.tasks.localization.ade20k_audit import audit_ade20k

ROWS = (
    ("a/one.jpg", "/data/vgg/dog bark.wav", "2978"),
    ("a/one.jpg", "/data/vgg/horn.wav", "300"),
    ("two.jpg", "", "300"),
    ("two.jpg", "/data/vgg/horn.wav", "0"),
    ("two.jpg", "/data/vgg/horn.wav", "300.0"),
)


def write_sound(path: Path, seconds: float, *, rate_hz: int = 16_000) -> np.ndarray:
    samples_S = np.random.default_rng(0).integers(-9000, 9000, round(seconds * rate_hz), dtype=np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples_S.tobytes())
    return samples_S / np.float32(2**15)


@pytest.fixture
def ade20k(tmp_path: Path) -> Path:
    """Two images of 480 x 240: class 2978 in the left half, 300 in the right."""
    folder = tmp_path / "ADE20KSoundPrompted"
    for part in ("frames/a", "annotations/a", "audio"):
        (folder / part).mkdir(parents=True)
    for location in ("a/one", "two"):
        image_HWC = np.zeros((240, 480, 3), np.uint8)
        image_HWC[:, :240] = (250, 0, 0)
        Image.fromarray(image_HWC).save(folder / "frames" / f"{location}.jpg", quality=95)
        labels_HWC = np.zeros((240, 480, 3), np.uint8)
        labels_HWC[:, :240] = (110, 2978 - 11 * 256, 7)  # 11 * 256 + 162; blue is the number of the object
        labels_HWC[:, 240:] = (19, 300 - 256, 9)  # int(19 / 10) = 1
        Image.fromarray(labels_HWC).save(folder / "annotations" / f"{location}_seg.png")
    write_sound(folder / "audio" / "dog bark.wav", 3.0)
    write_sound(folder / "audio" / "horn.wav", 12.0)
    lines = [",".join(("7", *row)) for row in ROWS]
    (folder / TABLE_FILE).write_text(
        "\n".join(["extra,image_location,vggsound_file,ade_class_id", *lines]) + "\n"
    )
    return folder


def test_rows_without_prompt_or_class_are_left_out(ade20k: Path):
    prompted = Ade20kFolder(ade20k)
    assert [(row.image_location, row.class_id) for row in prompted.rows] == [
        ("a/one.jpg", 2978),
        ("a/one.jpg", 300),
        ("two.jpg", 300),
    ]
    assert prompted.num_without_prompt == 2
    assert prompted.rows[0].sound.name == "dog bark.wav"
    assert prompted.rows[0].annotation == ade20k / "annotations" / "a" / "one_seg.png"


def test_classes_of_pixels_come_from_red_and_green(ade20k: Path):
    prompted = Ade20kFolder(ade20k)
    left_HW, right_HW = prompted.read_mask(0), prompted.read_mask(1)
    assert left_HW.shape == (224, 224)
    np.testing.assert_array_equal(right_HW, ~left_HW)
    assert left_HW[:, :112].all()
    assert not left_HW[:, 112:].any()


def test_image_and_mask_are_the_same_square(ade20k: Path):
    prompted = Ade20kFolder(ade20k)
    red_HW = prompted.read_image(0, pixels=224)[:, :, 0] > 125
    assert (red_HW != prompted.read_mask(0)).mean() < 0.01
    assert prompted.read_image(0, pixels=32).shape == (32, 32, 3)


def test_the_crop_is_that_of_torchvision():
    """An image of 241 x 321 at 224 pixels becomes 224 x 298, of which 37 are cut on the left."""
    from cavmae_sync.tasks.localization.ade20k import middle_square

    across = np.broadcast_to(np.linspace(0, 255, 321).astype(np.uint8)[None, :, None], (241, 321, 3))
    image = Image.fromarray(across.copy())
    square = np.asarray(middle_square(image, pixels=224, how=Image.Resampling.BILINEAR))
    expected = np.asarray(image.resize((298, 224), Image.Resampling.BILINEAR))[:, 37 : 37 + 224]
    np.testing.assert_array_equal(square, expected)


def test_short_sound_is_filled_up_with_silence_before_the_mean_is_taken(ade20k: Path):
    prompted = Ade20kFolder(ade20k)
    sound_S = write_sound(ade20k / "audio" / "dog bark.wav", 3.0)
    log_mel_NM = prompted.read_log_mel(0)
    assert log_mel_NM.shape == (1024, 128)
    padded_S = np.zeros(164_200, np.float32)
    padded_S[: len(sound_S)] = sound_S
    np.testing.assert_array_equal(log_mel_NM.numpy(), log_mel(padded_S).numpy())
    assert float(log_mel_NM[-1].mean()) < -10  # silence, not the 0.0 of padded spectrograms


def test_long_sound_is_cut(ade20k: Path):
    assert Ade20kFolder(ade20k).read_log_mel(1).shape == (1024, 128)


def test_the_fingerprint_tells_rows_apart(ade20k: Path):
    before = Ade20kFolder(ade20k).fingerprint
    table = ade20k / TABLE_FILE
    table.write_text(table.read_text().replace("2978", "300"))
    assert Ade20kFolder(ade20k).fingerprint != before


@pytest.mark.parametrize(
    ("spoil", "saying"),
    [
        (lambda folder: (folder / TABLE_FILE).unlink(), "has no prompted_segmentation.csv"),
        (lambda folder: (folder / "audio" / "horn.wav").unlink(), "names 2 files that are missing.*horn"),
        (
            lambda folder: (folder / TABLE_FILE).write_text("image_location\nx\n"),
            "has no column vggsound_file, ade_class_id",
        ),
        (
            lambda folder: (folder / TABLE_FILE).write_text(
                "image_location,vggsound_file,ade_class_id\nx.jpg,y.wav,dog\n"
            ),
            "row 1: ade_class_id is 'dog'",
        ),
        (
            lambda folder: (folder / TABLE_FILE).write_text(
                "image_location,vggsound_file,ade_class_id\nx.jpg,,3\n"
            ),
            "no row with",
        ),
    ],
)
def test_what_is_wrong_with_a_folder(ade20k: Path, spoil: Callable[[Path], object], saying: str):
    spoil(ade20k)
    with pytest.raises(DatasetError, match=saying):
        Ade20kFolder(ade20k)


def test_an_annotation_of_another_size_is_refused(ade20k: Path):
    Image.new("RGB", (10, 10)).save(ade20k / "annotations" / "a" / "one_seg.png")
    with pytest.raises(DatasetError, match="do not belong together"):
        Ade20kFolder(ade20k).read_mask(0)


def test_a_file_that_is_no_image_is_refused(ade20k: Path):
    (ade20k / "frames" / "two.jpg").write_text("no image")
    with pytest.raises(DatasetError, match="cannot be read as an image"):
        Ade20kFolder(ade20k).read_image(2, pixels=224)


def test_a_good_folder_has_only_the_short_sound_to_tell(ade20k: Path):
    """The dog's bark lasts 3 s, a published segment 4.16 s."""
    audit = audit_ade20k(ade20k)
    assert (audit.num_rows, audit.num_without_prompt, audit.num_classes) == (3, 2, 2)
    assert audit.rows_per_class == (1, 1.5, 2)
    assert (audit.num_pictures, audit.num_sounds) == (2, 2)
    assert [problem.kind for problem in audit.problems] == ["sound_short"]
    assert audit.problems[0].message.endswith("lasts 3.00 s; a segment of the published model lasts 4.16 s.")


def test_every_planted_fault_is_found_and_counted(ade20k: Path):
    table = ade20k / TABLE_FILE
    row = "7,{},/data/vgg/{},{}"
    rows = [
        row.format("gone.jpg", "horn.wav", 300),  # image and annotation missing
        row.format("a/one.jpg", "gone.wav", 300),
        row.format("a/one.jpg", "horn.wav", 77),  # no such class in it
        row.format("small.jpg", "horn.wav", 300),  # annotation of another size
        row.format("broken.jpg", "horn.wav", 300),
        row.format("two.jpg", "silent.wav", 300),
        row.format("two.jpg", "broken.wav", 300),
    ]
    table.write_text(table.read_text() + "\n".join(rows) + "\n")
    for name in ("small", "broken"):
        for part, ending in (("frames", ".jpg"), ("annotations", "_seg.png")):
            content = (ade20k / part / f"two{ending}").read_bytes()
            (ade20k / part / f"{name}{ending}").write_bytes(content)
    with Image.open(ade20k / "annotations" / "two_seg.png") as labels:
        labels.resize((240, 120), Image.Resampling.NEAREST).save(ade20k / "annotations" / "small_seg.png")
    (ade20k / "frames" / "broken.jpg").write_bytes(b"no image")
    (ade20k / "audio" / "broken.wav").write_bytes(b"no sound")
    write_sound(ade20k / "audio" / "silent.wav", 12.0)
    content = (ade20k / "audio" / "silent.wav").read_bytes()
    (ade20k / "audio" / "silent.wav").write_bytes(content[:44] + bytes(len(content) - 44))

    audit = audit_ade20k(ade20k)
    assert dict(audit.num_problems) == {
        "picture_missing": 1,
        "annotation_missing": 1,
        "sound_missing": 1,
        "picture_unreadable": 1,
        "annotation_unreadable": 0,
        "sound_unreadable": 1,
        "size_differs": 1,
        "class_absent": 1,
        "sound_short": 1,
        "sound_silent": 1,
    }
    assert len(audit.to_dict()["problems"]) == 9
    assert audit.to_table().row_count == 16
    assert len(audit.to_lines()) == 9
    with pytest.raises(DatasetError, match=r"names 3 files that are missing.*cavmae-sync list"):
        Ade20kFolder(ade20k)

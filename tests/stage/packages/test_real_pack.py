"""The real pack from invented packages of the same layout, and from the installed ones where they are."""

import csv
import json
import shutil
import wave
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import FolderPack, StageConfig, StageTruth, make_stage
from cavmae_sync.stage.pack import objects_by_class
from cavmae_sync.stage.packages import make_real_pack
from cavmae_sync.stage.packages.installed import find_candidates

NOISES = {
    "animals": "albatross bird booby crow cow calf horse moose pig yak zebra lion tiger wolf lynx frog newt",
    "instrument": "violin cello erhu guitar harp lute flute oboe clarinet recorder trumpet organ piano",
}
STAMPS = {
    "animals/birds": "crow owl lark",
    "animals/mammals": "goat ram",
    "vehicles/auto": "sedan sedan_mirror truck van",
    "vehicles/ship": "tug",
    "space": "moon",
}
ARE_INSTALLED = Path("/usr/share/qabcs/abcs/all").is_dir() and Path("/usr/share/tuxpaint/templates").is_dir()


def draw(path, *, seed, mode="RGBA"):
    """A random blot of 60 x 50 pixels."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGBA", (60, 50))
    for _ in range(6):
        x, y = (int(v) for v in generator.integers(5, 30, 2))
        colour = (*(int(v) for v in generator.integers(0, 255, 3)), 255)
        ImageDraw.Draw(image).ellipse((x, y, x + 20, y + 15), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path)


def play(path, *, seed, seconds=0.5, gain=0.5):
    """Filtered noise of its own pitch."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(16_000 * seconds)) / 16_000
    hz = 200 + 3000 * generator.random()
    samples = gain * np.sin(2 * np.pi * hz * times) + 0.3 * gain * generator.uniform(-1, 1, len(times))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((20_000 * samples).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Folder with the three packages unpacked. Sounds are WAV inside, whatever they are called."""
    root = tmp_path_factory.mktemp("packages")
    qabcs, stamps = root / "usr/share/qabcs/abcs/all", root / "usr/share/tuxpaint/stamps"
    seed = 0
    for folder, names in NOISES.items():
        for name in names.split():
            draw(qabcs / "pics" / folder / f"{name}.png", seed=(seed := seed + 1))
            play(qabcs / "noises" / f"{name}.ogg", seed=seed)
    draw(qabcs / "pics/food/apple.png", seed=900)
    for folder, names in STAMPS.items():
        for name in names.split():
            draw(stamps / folder / f"{name}.png", seed=(seed := seed + 1))
            play(stamps / folder / f"{name}_desc.ogg", seed=seed + 500)
            play(stamps / folder / f"{name}_desc_fr.ogg", seed=seed + 600)
            if folder.startswith("animals"):
                play(stamps / folder / f"{name}.ogg", seed=seed)
    for number in range(6):
        place = root / "usr/share/tuxpaint/templates" / f"view{number}.jpg"
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", (90, 60), (40 * number, 90, 200)).save(place)
    licence = root / "usr/share/doc/qabcs-data/copyright"
    licence.parent.mkdir(parents=True)
    licence.write_text("GPL-3+")
    return root


def copied(packages, tmp_path):
    """Packages that a test may change, with the folders of their two kinds of pictures."""
    root = tmp_path / "packages"
    shutil.copytree(packages, root)
    return root, root / "usr/share/qabcs/abcs/all", root / "usr/share/tuxpaint/stamps/animals"


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reasons(folder):
    return {row["name"]: row["reason"] for row in rows(folder / "left_out.csv")}


def test_candidates_have_the_recordings_that_lie_beside_them(packages):
    by_name = {one.name: one for one in find_candidates(packages)}
    owl = by_name["tuxpaint-animals-birds-owl"]
    assert owl.folder == "animals-birds"
    assert {take: path.name for take, path in owl.effects.items()} == {"effect": "owl.ogg"}
    assert sorted(owl.spoken_names) == ["en", "fr"]
    assert not by_name["qabcs-apple"].effects


def test_a_pack_is_made_with_its_lists_photographs_and_licences(packages, tmp_path):
    folder = make_real_pack(tmp_path / "pack", root=packages)
    loaded = FolderPack(folder)
    assert {"bird", "grazing_animal", "wind_instrument"} <= {t.class_name for t in loaded.objects}
    assert loaded.unknown_classes == {"crawling_or_swimming", "keyboard_instrument"}
    assert (folder / "licences/qabcs-data.txt").read_text() == "GPL-3+"
    assert "GPL" in (folder / "NOTICE.txt").read_text()
    assert {path.parent.name for path in (folder / "backdrops").rglob("*.jpg")} == {
        "train",
        "validation",
        "test",
    }
    assert reasons(folder)["qabcs-apple"] == "no sound of its own"
    summary = json.loads((folder / "pack.json").read_text())
    assert sum(summary["num_objects"].values()) == len(loaded.objects)


def test_what_is_the_same_thing_is_in_one_split(packages, tmp_path):
    folder = make_real_pack(tmp_path / "pack", root=packages)
    splits = defaultdict(set)
    for row in rows(folder / "classes.csv"):
        splits[row["class"], row["thing"]].add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    listed = {row["name"]: row for row in rows(folder / "classes.csv")}
    assert listed["qabcs-crow"]["split"] == listed["tuxpaint-animals-birds-crow"]["split"]
    assert listed["qabcs-cow"]["thing"] == listed["qabcs-calf"]["thing"]


def test_copies_are_left_out_whether_equal_mirrored_or_cut(packages, tmp_path):
    root, qabcs, stamps = copied(packages, tmp_path)
    (qabcs / "noises/bird.ogg").write_bytes((qabcs / "noises/albatross.ogg").read_bytes())
    mirrored = Image.open(qabcs / "pics/animals/horse.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.resize((120, 100)).save(stamps / "birds/lark.png")
    play(qabcs / "noises/zebra.ogg", seed=4, seconds=0.4, gain=0.3)
    play(qabcs / "noises/crow.ogg", seed=4, seconds=0.5, gain=0.3)
    assert (
        reasons(make_real_pack(tmp_path / "pack", root=root)).items()
        >= {
            "qabcs-bird": "same recording file as qabcs-albatross",
            "qabcs-zebra": "nearly the same recording as qabcs-crow",
            "tuxpaint-animals-birds-lark": "nearly the same picture as qabcs-horse",
        }.items()
    )


def test_unsuitable_pictures_and_sounds_are_left_out_with_a_reason(packages, tmp_path):
    root, qabcs, _ = copied(packages, tmp_path)
    pictures = qabcs / "pics/animals"
    Image.new("RGB", (50, 50), "red").save(pictures / "bird.png")
    Image.new("RGBA", (20, 20)).save(pictures / "crow.png")
    Image.open(pictures / "cow.png").resize((20, 16)).save(pictures / "cow.png")
    Image.new("RGBA", (50, 50), (9, 9, 9, 60)).save(pictures / "horse.png")
    image = Image.open(pictures / "horse.png")
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(pictures / "horse.png")
    (pictures / "yak.png").write_text("no")
    play(qabcs / "noises/pig.ogg", seed=0, gain=0.0)
    (qabcs / "noises/lynx.ogg").write_text("no")
    draw(pictures / "wyvern.png", seed=901)
    play(qabcs / "noises/wyvern.ogg", seed=901)
    (pictures / "lion.png").rename(pictures / "lioness.png")
    found = reasons(make_real_pack(tmp_path / "pack", root=root))
    assert {name.removeprefix("qabcs-"): reason for name, reason in found.items()}.items() >= {
        "bird": "picture without a transparent pixel",
        "crow": "fully transparent picture",
        "cow": "picture smaller than 32 pixels",
        "horse": "mostly transparent picture",
        "pig": "silent or unreadable recording",
        "lynx": "silent or unreadable recording",
        "wyvern": "its kind is not known",
        "lioness": "no sound of its own",
    }.items()
    assert found["qabcs-yak"].startswith("unreadable picture")


def test_spoken_names_are_a_voice_of_their_own(packages, tmp_path):
    folder = make_real_pack(tmp_path / "names", root=packages, voice="names")
    listed = {row["name"]: row for row in rows(folder / "classes.csv")}
    assert listed["tuxpaint-vehicles-auto-sedan"]["class"] == "vehicles"
    assert listed["tuxpaint-vehicles-auto-sedan"]["takes"] == "en;fr"
    assert reasons(folder)["tuxpaint-space-moon"] == "too few things for all splits: class space"
    mirrored = listed["tuxpaint-vehicles-auto-sedan_mirror"]
    assert listed["tuxpaint-vehicles-auto-sedan"]["split"] == mirrored["split"]
    folder = make_real_pack(tmp_path / "both", root=packages, voice="both")
    takes = {row["name"]: row["takes"] for row in rows(folder / "classes.csv")}
    assert takes["tuxpaint-animals-birds-owl"] == "effect;en;fr"
    assert takes["qabcs-cow"] == "effect"


def test_a_pack_is_made_once_and_another_one_is_refused(packages, tmp_path):
    folder = make_real_pack(tmp_path / "pack", root=packages)
    before = (folder / "pack.json").stat().st_mtime_ns
    assert make_real_pack(folder, root=packages) == folder
    assert (folder / "pack.json").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match="holds another pack: voice is 'effects', not 'both'"):
        make_real_pack(folder, root=packages, voice="both")
    (folder / "pack.json").unlink()
    with pytest.raises(DatasetError, match="unfinished pack"):
        make_real_pack(folder, root=packages)


def test_missing_packages_are_named_with_the_way_to_install_them(packages, tmp_path):
    with pytest.raises(DatasetError, match="apt install qabcs-data tuxpaint-stamps-default tuxpaint-data"):
        make_real_pack(tmp_path / "pack", root=tmp_path)
    root, _, _ = copied(packages, tmp_path)
    shutil.rmtree(root / "usr/share/tuxpaint/templates")
    with pytest.raises(DatasetError, match="needs the Debian package tuxpaint-data"):
        make_real_pack(tmp_path / "pack", root=root)


@pytest.mark.parametrize("variant", ["bind", "no_pulse", "easy"])
def test_clips_of_each_variant_are_made_of_it(packages, tmp_path, variant):
    folder = make_real_pack(tmp_path / "pack", root=packages)
    config = StageConfig(variant=variant, frame_pixels=64, clip_seconds=2, frames_per_second=4, split="test")
    make_stage(tmp_path / "out", config=config, num_clips=2, pack=folder, num_workers=1)
    allowed = objects_by_class(FolderPack(folder), split="test", unknown=False)
    truth = StageTruth(tmp_path / "out")
    for video_id in truth:
        assert truth[video_id].variant == variant
        for thing in truth[video_id].objects:
            assert thing.name in {t.name for t in allowed[thing.class_name]}


@pytest.mark.slow
@pytest.mark.skipif(not ARE_INSTALLED, reason="needs qabcs-data, tuxpaint-stamps-default and tuxpaint-data")
def test_the_installed_packages_give_the_pack_of_the_docs(tmp_path):
    folder = make_real_pack(tmp_path / "pack")
    summary = json.loads((folder / "pack.json").read_text())
    assert summary["num_objects"] == {"train": 138, "validation": 65, "test": 126}
    assert len(FolderPack(folder).objects) == 329

"""`classify` as a user calls it: tables, JSON, picture and CSV, and what it says when it cannot."""

import csv
import json
from pathlib import Path

import pytest
import torch

from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.model.heads import HeadConfig, make_head
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.weights import save_model, weights_fingerprint

CLASSES = ("drum", "flute [b]", "音")


def tiny_model(seed=0):
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    return CAVMAESync(config, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_model(tiny_model(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.fixture
def probe(weights: Path, tmp_path: Path) -> Path:
    """The folder of a probe that knows where its model is."""
    config = HeadConfig(width=32, num_classes=3)
    folder = tmp_path / "probe"
    folder.mkdir()
    Probe(
        head=make_head(config, generator=torch.Generator().manual_seed(0)),
        head_config=config,
        classes=CLASSES,
        features=FeatureConfig(),
        loss="bce",
        weights=weights_fingerprint(tiny_model()),
        model_path=str(weights),
    ).save(folder / "probe.safetensors")
    return folder


@pytest.fixture
def video(stage_folder: Path) -> Path:
    return sorted((stage_folder / "clips").iterdir())[0]


def test_help_shows_an_example(cli):
    ran = cli("classify", "--help")
    assert ran.code == 0
    assert "Example: cavmae-sync classify party.mp4 --probe my-probe" in " ".join(ran.out.split())


def test_tables_for_people(cli, video, probe):
    ran = cli("classify", video, "--probe", probe, "--top", 2, "--threshold", 0.001)
    assert ran.code == 0, ran.err
    assert f"{video.name}, 0:00 to 0:01" in ran.out
    assert ran.out.count("surest classes") == 1  # one clip needs no table of clips
    assert sum(name in ran.out for name in CLASSES) == 3  # two above, all three in the table of times
    assert "at least 0.1 %" in ran.out


def test_json_picture_and_csv(cli, video, probe, tmp_path):
    picture, table = tmp_path / "classes.png", tmp_path / "classes.csv"
    ran = cli(
        "classify",
        video,
        "--probe",
        probe / "probe.safetensors",
        "--json",
        "--figure",
        picture,
        "--csv",
        table,
    )
    found = json.loads(ran.out)
    assert found["classes"] == list(CLASSES)
    assert set(found["whole"]) == set(CLASSES)
    assert (len(found["clips"]), len(found["moments"])) == (1, 16)
    assert picture.stat().st_size > 1000
    assert len(list(csv.reader(table.read_text("utf-8").splitlines()))) == 1 + 1 + 16


def test_the_figure_shows_where_the_sound_is(cli, video, probe, tmp_path):
    plain, mapped = tmp_path / "plain.png", tmp_path / "mapped.png"
    assert cli("classify", video, "--probe", probe, "--figure", plain).code == 0
    ran = cli("classify", video, "map=cosine", "--probe", probe, "--figure", mapped, "--maps")
    assert ran.code == 0, ran.err
    assert mapped.stat().st_size > plain.stat().st_size
    refused = cli("classify", video, "contrast=true", "--probe", probe)
    assert (refused.code, "needs other sounds" in refused.err) == (1, True)


def test_another_model_or_none_is_refused(cli, video, probe, weights, tmp_path):
    save_model(tiny_model(seed=1), tmp_path / "other.safetensors")
    other = cli("classify", video, "--probe", probe, "--model", tmp_path / "other.safetensors")
    assert other.code == 1
    assert "The probe was trained on weights" in other.err
    weights.unlink()
    gone = cli("classify", video, "--probe", probe)
    assert gone.code == 1
    assert "which is gone. Give the run or weights it was trained on with --model." in gone.err


def test_the_model_of_fine_tuning_is_found_beside_the_probe(cli, video, probe, weights):
    weights.rename(probe / "weights.safetensors")  # as after fine-tuning, wherever the folder is moved
    assert cli("classify", video, "--probe", probe, "--json").code == 0
    assert cli("classify", video, "--probe", probe / "probe.safetensors", "--json").code == 0


def test_places_that_cannot_be_written_are_refused_first(cli, video, probe, tmp_path):
    for option, name in (("--figure", "a.jpg"), ("--csv", "missing/a.csv")):
        ran = cli("classify", video, "--probe", probe, option, tmp_path / name)
        assert (ran.code, ran.out) == (1, "")
        assert option in ran.err


def test_no_probe_is_an_error_that_says_how_to_make_one(cli, video, tmp_path):
    ran = cli("classify", video, "--probe", tmp_path)
    assert ran.code == 1
    assert "cavmae-sync probe" in ran.err

"""A stage is frozen: names say what differs, plans are the same for ever, pixels and samples nearly so."""

import json

import numpy as np
import pytest

from cavmae_sync.stage import ProceduralPack, StageConfig, StageTruth, generate_clip, make_stage
from cavmae_sync.stage.identity import plans_sha256, stage_name

from .frozen import FILE, WAYS, fingerprint

PACK = ProceduralPack()
FROZEN = json.loads(FILE.read_text())


def frozen_config(name):
    return StageConfig(**FROZEN[name]["config"], **WAYS)


def test_names_say_what_is_not_usual():
    for changes, name in [
        ({}, "stage2-bind-train"),
        ({"split": "test", "frame_pixels": 96, "frames_per_second": 8}, "stage2-bind-test"),
        ({"variant": "easy", "seed": 3}, "stage2-easy-train-seed=3"),
        ({"split": "test", "classes": "unknown", "control": "silent"}, "stage2-bind-test-unknown-silent"),
        ({"music_level": 0.5, "num_cuts": 2}, "stage2-bind-train-num_cuts=2-music_level=0.5"),
    ]:
        assert stage_name(StageConfig(**changes), pack_fingerprint=PACK.fingerprint) == name
    assert stage_name(StageConfig(), pack_fingerprint="folder-12ab") == "stage2-bind-train-folder"


@pytest.mark.parametrize("name", FROZEN)
def test_frozen_stages_have_the_plans_they_always_had(name):
    config = frozen_config(name)
    assert stage_name(config, pack_fingerprint=PACK.fingerprint) == name
    assert plans_sha256(config, PACK) == FROZEN[name]["plans_sha256"]


@pytest.mark.parametrize("name", [name for name in FROZEN if FROZEN[name]["clips"]])
def test_frozen_clips_look_and_sound_as_they_always_did(name):
    for index, golden in FROZEN[name]["clips"].items():
        found = fingerprint(generate_clip(int(index), config=frozen_config(name), pack=PACK))
        np.testing.assert_allclose(found["cells"], golden["cells"], atol=1.0)
        np.testing.assert_allclose(found["levels"], golden["levels"], rtol=0.02, atol=1e-4)


def test_another_seed_or_option_has_other_plans():
    usual = plans_sha256(StageConfig(), PACK)
    assert plans_sha256(StageConfig(seed=1), PACK) != usual
    assert plans_sha256(StageConfig(overlap_fraction=0.5), PACK) != usual
    assert plans_sha256(StageConfig(frame_pixels=96), PACK) == usual


def test_a_stage_and_its_truth_carry_the_name(tmp_path):
    config = StageConfig(split="test", frame_pixels=32, clip_seconds=1, frames_per_second=4)
    make_stage(tmp_path, config=config, num_clips=1, num_workers=1)
    described = json.loads((tmp_path / "stage.json").read_text())
    assert StageTruth(tmp_path).name == described["name"] == "stage2-bind-test-clip_seconds=1"
    assert described["plans_sha256"] == plans_sha256(config, PACK)
    old = {"version": 1, "config": {"variant": "standard", "split": "test"}}
    (tmp_path / "stage.json").write_text(json.dumps(old))
    assert StageTruth(tmp_path).name == "stage1-standard-test"

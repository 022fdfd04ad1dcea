"""A stage is tried by rules as soon as it has enough clips."""

import json

import pytest

from cavmae_sync.atomic import locked
from cavmae_sync.errors import DatasetError
from cavmae_sync.recipes import proven_stage
from cavmae_sync.recipes.proven_stage import PROOF_FILE, prove_made_stage
from cavmae_sync.stage import StageConfig, make_stage

CONFIG = StageConfig(split="test", frame_pixels=32, clip_seconds=2, frames_per_second=4)


def test_the_proof_of_a_made_stage_stands_beside_it(tmp_path, monkeypatch):
    make_stage(tmp_path, config=CONFIG, num_clips=4, num_workers=1)
    assert prove_made_stage(tmp_path, config=CONFIG, num_workers=0, on_progress=lambda *_: None) is None
    monkeypatch.setattr(proven_stage, "MIN_CLIPS", 4)
    busy = pytest.raises(DatasetError, match="Another process is proving")
    with locked(tmp_path / "proof.lock"), busy:  # its clips under way would be removed
        prove_made_stage(tmp_path, config=CONFIG, num_workers=0, on_progress=lambda *_: None)
    told = []
    proof = prove_made_stage(tmp_path, config=CONFIG, num_workers=0, on_progress=lambda *a: told.append(a))
    content = json.loads((tmp_path / PROOF_FILE).read_text())
    assert content["stage"] == proof.stage == "stage2-bind-test-clip_seconds=2"
    assert {row["group"] for row in content["rows"]} == {"rule", "linear fit", "ceiling"}
    assert ("trying rules", 4, 4) in told
    assert not (tmp_path / "proof").exists()

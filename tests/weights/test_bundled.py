"""The model that comes with the package: there under its name, small, and it says what it does not know."""

from pathlib import Path

import pytest
import torch

import cavmae_sync as cs
from cavmae_sync.cli import app
from cavmae_sync.doctor import open_examined_model
from cavmae_sync.doctor.weights import check_file
from cavmae_sync.embedding import Embedder
from cavmae_sync.exchange.proof import check_proof
from cavmae_sync.stage import StageConfig, make_stage
from cavmae_sync.weights import find_weights, read_provenance, save_model
from cavmae_sync.weights.hub import BUNDLED_FOLDER

MAX_BYTES = 4 * 2**20


def test_its_name_loads_it_and_it_is_trained():
    model = cs.load_model("small")
    assert not model.training
    fresh = cs.CAVMAESync(model.config, generator=torch.Generator().manual_seed(0)).state_dict()
    assert not torch.equal(model.state_dict()["audio.global_token"], fresh["audio.global_token"])


def test_it_is_small():
    assert sum(path.stat().st_size for path in BUNDLED_FOLDER.iterdir()) < MAX_BYTES


def test_header_and_card_say_what_it_was_trained_on_and_does_not_know():
    about = read_provenance(find_weights("small"))
    assert about.trained_on is not None
    assert "does not know the world" in about.trained_on
    assert about.licence == "Apache-2.0"
    card = (BUNDLED_FOLDER / "README.md").read_text("utf-8")
    assert about.trained_on in card
    for row in ("untrained model", "frames of another clip", "truth"):  # its numbers stand beside these
        assert row in card


def test_it_computes_here_what_it_computed_where_it_was_made():
    about = read_provenance(find_weights("small"))
    assert about.proof is not None
    assert all(check.is_equal for check in check_proof(Embedder(cs.load_model("small")), about.proof))


def test_commands_and_the_doctor_say_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    stage = StageConfig(frame_pixels=32, frames_per_second=4)
    make_stage(tmp_path, config=stage, num_clips=1, num_workers=1)
    video = next((tmp_path / "clips").iterdir())
    app(["segment", "small", str(video), "--json"], result_action="return_value")
    assert "note: small was trained on 1,000 generated clips" in " ".join(capsys.readouterr().err.split())
    found = check_file(open_examined_model(Path("small")))
    assert found.status == "note"
    assert "does not know the world" in found.measured


def test_a_file_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    save_model(cs.load_model("small"), tmp_path / "other.safetensors")
    (tmp_path / "other.safetensors").rename(tmp_path / "small")
    assert find_weights("small") == Path("small")

"""The package's clip, and the proof of what a model makes of it."""

from pathlib import Path

import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import WeightsError
from cavmae_sync.exchange.proof import (
    check_preprocessing,
    check_proof,
    make_proof,
    read_proof_clip,
    write_proof_clip,
)
from cavmae_sync.media import probe
from cavmae_sync.model import CAVMAESync


def test_this_installation_decodes_the_clip_as_it_should():
    assert [check.stage for check in check_preprocessing()] == ["decoding", "spectrogram"]
    assert all(check.is_equal for check in check_preprocessing())


def test_the_clip_shows_who_squashes_and_who_does_not_resample(tmp_path: Path):
    write_proof_clip(tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").stat().st_size < 200_000
    assert read_proof_clip().frames_THWC.shape == (16, 192, 256, 3)
    (sound,) = probe(tmp_path / "clip.mp4").audio
    assert (sound.sample_rate_hz, sound.num_channels) == (44_100, 2)


def test_a_model_agrees_with_its_own_proof_and_not_with_anothers(model: CAVMAESync):
    proof = make_proof(Embedder(model, device="cpu"))
    assert all(check.is_equal for check in check_proof(Embedder(model, device="cpu"), proof))
    other = CAVMAESync(model.config, generator=torch.Generator().manual_seed(1))
    equal = {check.stage: check.is_equal for check in check_proof(Embedder(other, device="cpu"), proof)}
    assert equal == {"pictures": True, "sound": True, "model": False}


@pytest.mark.parametrize("proof", ["", "{}", '{"version": 2}', "[1]"])
def test_what_is_no_proof_is_refused(proof: str, model: CAVMAESync):
    with pytest.raises(WeightsError, match=r"proof in the header"):
        check_proof(Embedder(model, device="cpu"), proof)

"""A moment of a video with most of it hidden."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ClipTooShortError, ConfigError
from cavmae_sync.media import read_audio
from cavmae_sync.tasks.reconstruction.pair_reconstruction import PatchPrediction
from cavmae_sync.tasks.reconstruction.video_reconstruction import (
    HidingConfig,
    reconstruct_video,
    trained_on_normalized_pixels,
)
from cavmae_sync.weights import save_model


@pytest.fixture
def video(stage_folder: Path) -> Path:
    return min((stage_folder / "clips").glob("*.mp4"))


def prediction(guess: float) -> PatchPrediction:
    """Four patches of two values; the last two are hidden."""
    truth_PNX = torch.tensor([[[0.0, 0.0], [2.0, 2.0], [1.0, 3.0], [4.0, 4.0]]])
    return PatchPrediction(
        truth_PNX=truth_PNX,
        predicted_PNX=torch.full_like(truth_PNX, guess),
        hidden_PN=torch.tensor([[False, False, True, True]]),
        grid=(2, 2),
    )


def test_errors_by_hand():
    """Hidden are 1, 3, 4, 4; the mean of what was seen is 1; the own means are 2 and 4."""
    errors = prediction(3.0).errors()
    assert errors == {
        "model": (4 + 0 + 1 + 1) / 4,
        "mean_of_seen": (0 + 4 + 9 + 9) / 4,
        "own_mean": (1 + 1 + 0 + 0) / 4,
    }


def test_nothing_hidden_has_no_error():
    truth = torch.zeros(1, 4, 2)
    nothing = PatchPrediction(
        truth_PNX=truth,
        predicted_PNX=truth,
        hidden_PN=torch.zeros(1, 4, dtype=torch.bool),
        grid=(2, 2),
    )
    assert nothing.errors() == {}


@pytest.mark.parametrize("hide", ["audio", "visual", "both"])
def test_what_is_seen_stays(embedder: Embedder, video: Path, hide: str):
    hiding = HidingConfig(mask_ratio=0.5, hide=hide)
    found = reconstruct_video(embedder, video, normalize_pixels=False, hiding=hiding)
    assert found.frame.hidden.mean() == (0.5 if hide != "audio" else 0)
    assert found.segment.hidden.mean() == (0.5 if hide != "visual" else 0)
    for part in (found.frame, found.segment):
        np.testing.assert_allclose(part.composite[~part.hidden], part.original[~part.hidden], atol=1e-5)
        np.testing.assert_array_equal(part.composite[part.hidden], part.prediction[part.hidden])
    assert set(found.errors["visual"]) == (
        set() if hide == "audio" else {"model", "mean_of_seen", "own_mean"}
    )


def test_a_model_that_predicts_nothing_is_as_good_as_the_own_mean(embedder: Embedder, video: Path):
    for head in (embedder.model.decoder.predict_a, embedder.model.decoder.predict_v):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    found = reconstruct_video(embedder, video, normalize_pixels=True)
    for errors in found.errors.values():
        assert errors["model"] == pytest.approx(errors["own_mean"], rel=1e-4)


def test_whole_times_are_hidden(embedder: Embedder, video: Path):
    hiding = HidingConfig(mask_ratio=0.5, mode="time")
    hidden_LM = reconstruct_video(embedder, video, normalize_pixels=True, hiding=hiding).segment.hidden
    assert sorted(set(hidden_LM.mean(axis=1).tolist())) == [0, 1]


def test_the_nearest_frame_is_taken(embedder: Embedder, video: Path):
    found = reconstruct_video(embedder, video, normalize_pixels=True, at_seconds=0.24)
    assert found.seconds == pytest.approx(0.25, abs=0.03)
    with pytest.raises(ConfigError, match="lasts"):
        reconstruct_video(embedder, video, normalize_pixels=True, at_seconds=99)
    with pytest.raises(ConfigError, match=r"nothing at -1\.00 s"):
        reconstruct_video(embedder, video, normalize_pixels=True, at_seconds=-1)
    with pytest.raises(ConfigError, match="hides all"):
        reconstruct_video(embedder, video, normalize_pixels=True, hiding=HidingConfig(mask_ratio=0.99))


def test_weights_do_not_say_what_they_were_trained_on(tmp_path: Path):
    with pytest.raises(ConfigError, match="--raw-pixels"):
        trained_on_normalized_pixels(tmp_path / "model.safetensors")


def test_a_single_frame_is_refused(embedder: Embedder):
    single = Path(__file__).parents[2] / "media" / "odd" / "06_one_frame_3s_audio.mp4"
    with pytest.raises(ClipTooShortError):
        reconstruct_video(embedder, single, normalize_pixels=True)


def test_the_command(embedder: Embedder, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_model(embedder.model, tmp_path / "model.safetensors")
    words = ["reconstruct", str(tmp_path / "model.safetensors"), str(video)]
    assert run(words) == 1
    assert "--raw-pixels" in capsys.readouterr().err
    panel, sound = tmp_path / "panel.png", tmp_path / "sound.wav"
    words = [*words, "--normalized-pixels", "--figure", str(panel), "--sound", str(sound)]
    assert run([*words, "--json"]) == 0
    errors = json.loads(capsys.readouterr().out)["errors"]
    assert set(errors) == {"audio", "visual"}
    assert panel.stat().st_size > 10_000
    assert len(read_audio(sound)) == len(read_audio(tmp_path / "sound.original.wav")) == 160 * 31
    assert run([*words, "--overwrite"]) == 0
    assert "mean of seen" in capsys.readouterr().out

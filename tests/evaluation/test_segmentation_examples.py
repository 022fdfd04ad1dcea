"""ADE20K with sound prompts as questions: which windows ask, and a model on a tiny folder."""

import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cavmae_sync.data.prompted import TABLE_FILE, SoundPrompted
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.evaluation.segmentation import evaluate_segmentation, segmentation_report
from cavmae_sync.evaluation.segmentation_controls import oracle_maps, segmentation_controls
from cavmae_sync.evaluation.segmentation_examples import PromptedExamples
from cavmae_sync.inputs import InputConfig, cut_segments


@pytest.fixture
def prompted(tmp_path: Path) -> SoundPrompted:
    """Three rows over two pictures; class 1 in the left part, 2 in the right."""
    for part in ("frames", "annotations", "audio"):
        (tmp_path / part).mkdir()
    generator = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(generator.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(
            tmp_path / "frames" / f"{name}.jpg"
        )
        labels_HWC = np.zeros((40, 60, 3), np.uint8)
        labels_HWC[:, :25, 1], labels_HWC[:, 25:, 1] = 1, 2
        Image.fromarray(labels_HWC).save(tmp_path / "annotations" / f"{name}_seg.png")
    with wave.open(str(tmp_path / "audio" / "horn.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(generator.integers(-9000, 9000, 160_000, dtype=np.int16).tobytes())
    rows = "one.jpg,horn.wav,1\none.jpg,horn.wav,2\ntwo.jpg,horn.wav,1\n"
    (tmp_path / TABLE_FILE).write_text(f"image_location,vggsound_file,ade_class_id\n{rows}")
    return SoundPrompted(tmp_path)


@pytest.mark.parametrize(("window", "frames"), [("middle", [8]), (3, [3]), ("mean", list(range(16)))])
def test_windows_that_ask(prompted: SoundPrompted, window, frames: list[int]):
    """At the published size the middle window is rows 304 to 720."""
    config = InputConfig()
    windows_KLM = PromptedExamples(prompted, window=window).prompt(0, config)
    log_mel_NM = prompted.read_log_mel(0)
    torch.testing.assert_close(
        windows_KLM, cut_segments(log_mel_NM, frame_indices=frames, num_frames=16, config=config)
    )
    if window == "middle":
        rows = (log_mel_NM[304:720] - config.spectrogram_mean) / config.spectrogram_std
        torch.testing.assert_close(windows_KLM[0], rows)


def test_a_window_that_a_prompt_does_not_have(prompted: SoundPrompted):
    with pytest.raises(ConfigError, match="0 to 15"):
        PromptedExamples(prompted, window=16)


def test_rows_of_one_picture_are_drawn_together(prompted: SoundPrompted):
    targets = PromptedExamples(prompted).targets
    assert [(target.unit, target.class_name) for target in targets] == [(0, "1"), (0, "2"), (1, "1")]
    np.testing.assert_array_equal(targets[0].mask(), ~targets[1].mask())


def test_a_model_and_its_controls(prompted: SoundPrompted, embedder: Embedder):
    examples = PromptedExamples(prompted, window="mean")
    report = evaluate_segmentation(embedder, examples, num_bootstrap=10)
    assert [score.name for score in report.classes] == ["1", "2"]
    assert report.config["prompt_window"] == "mean"
    assert report.clip_list == prompted.fingerprint
    named = [maps.said_by for maps in segmentation_controls(embedder, examples, report.maps)]
    assert "every_object" not in named  # nobody knows what could sound
    perfect = segmentation_report(oracle_maps(examples.targets), examples)
    assert {value.value for value in perfect.metrics.values()} == {1.0}

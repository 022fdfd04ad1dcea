"""ADE20K with sound prompts as questions: which windows ask, and a model on a tiny folder."""

import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig, cut_segments, normalize_frames
from cavmae_sync.maps import MapConfig
from cavmae_sync.tasks.localization.ade20k import TABLE_FILE, Ade20kFolder
from cavmae_sync.tasks.localization.ade20k_examples import Ade20kExamples
from cavmae_sync.tasks.localization.controls import localization_controls, oracle_maps
from cavmae_sync.tasks.localization.evaluate import (
    LocalizationConfig,
    evaluate_localization,
    localization_report,
)
from cavmae_sync.tasks.localization.maps import prompt_vectors

DENSEAV = MapConfig(map="denseav")


@pytest.fixture
def prompted(tmp_path: Path) -> Ade20kFolder:
    """Three rows over two images; class 1 in the left part, 2 in the right."""
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
    return Ade20kFolder(tmp_path)


@pytest.mark.parametrize(("window", "frames"), [("middle", [8]), (3, [3]), ("mean", list(range(16)))])
def test_windows_that_ask(prompted: Ade20kFolder, window, frames: list[int]):
    """At the published size the middle window is rows 304 to 720."""
    config = InputConfig()
    windows_KLM = Ade20kExamples(prompted, window=window).prompt(0, config)
    log_mel_NM = prompted.read_log_mel(0)
    torch.testing.assert_close(
        windows_KLM, cut_segments(log_mel_NM, frame_indices=frames, frame_seconds=range(16), config=config)
    )
    if window == "middle":
        rows = (log_mel_NM[304:720] - config.spectrogram_mean) / config.spectrogram_std
        torch.testing.assert_close(windows_KLM[0], rows)


def test_a_window_that_a_prompt_does_not_have(prompted: Ade20kFolder):
    with pytest.raises(ConfigError, match="0 to 15"):
        Ade20kExamples(prompted, window=16)


def test_rows_of_one_image_are_drawn_together(prompted: Ade20kFolder):
    targets = Ade20kExamples(prompted).targets
    assert [(target.unit, target.class_name) for target in targets] == [(0, "1"), (0, "2"), (1, "1")]
    np.testing.assert_array_equal(targets[0].mask(), ~targets[1].mask())


def test_a_model_and_its_controls(prompted: Ade20kFolder, embedder: Embedder):
    examples = Ade20kExamples(prompted, window="mean")
    report = evaluate_localization(embedder, examples, LocalizationConfig(num_bootstrap=10))
    assert [score.name for score in report.classes] == ["1", "2"]
    assert report.made_with["prompt_window"] == "mean"
    assert report.clip_list == prompted.fingerprint
    named = [maps.name for maps in localization_controls(embedder, examples, report.maps, MapConfig())]
    assert "every_object" not in named  # nobody knows what could sound
    perfect = localization_report(oracle_maps(examples.targets), examples)
    assert {value.value for value in perfect.metrics.values()} == {1.0}


@pytest.mark.parametrize("num_samples", [164_200, 160_000, 41_000, 40_999, 1_284, 1_283, 10])
def test_columns_with_sound_are_those_of_denseav(prompted: Ade20kFolder, num_samples: int):
    """Its mask of samples, brought to 64 columns by linear interpolation; from 0.01 on it is sound."""
    with wave.open(str(prompted.folder / "audio" / "horn.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * num_samples))
    heard_KC = Ade20kExamples(prompted).heard(0, InputConfig(segment_length=1024))
    mask_S = (torch.arange(164_200) < num_samples).float()
    weight_C = F.interpolate(mask_S[None, None, None], (1, 64), mode="bilinear").reshape(-1)
    assert heard_KC.shape == (1, 64)
    assert torch.equal(heard_KC[0], weight_C > 0.01)
    windows_KC = Ade20kExamples(prompted, window="mean").heard(0, InputConfig())
    starts = [0, 0, 0, 0, 48, 112, 176, 240, 304, 368, 432, 496, 560, 608, 608, 608]
    for heard_C, start in zip(windows_KC, starts, strict=True):
        assert torch.equal(heard_C, heard_KC[0][start // 16 : start // 16 + 26])


def test_centred_windows_hear_nothing_before_and_after_the_prompt(prompted: Ade20kFolder):
    """The prompt lasts 10 s. Window 0 lies around its start, window 15 around 9.62 s."""
    config = InputConfig(segment_length=416, alignment="centered")
    examples = Ade20kExamples(prompted, window="mean")
    heard_KC = examples.heard(0, config)
    assert heard_KC[[0, 8, 15]].sum(dim=1).tolist() == [13, 26, 15]
    assert not heard_KC[0, :13].any()
    assert heard_KC[15, :15].all()
    assert torch.equal(Ade20kExamples(prompted).prompt(0, config)[0], examples.prompt(0, config)[8])


def test_the_sound_for_other_encoders(prompted: Ade20kFolder):
    sound_S, seconds = Ade20kExamples(prompted).sound(1)
    assert (sound_S.shape, seconds) == ((160_000,), None)


class TestDenseavRule:
    """Dot products of all patches, as long as they are, over frequency and over the time that has sound."""

    @pytest.mark.parametrize("window", ["middle", "mean"])
    def test_it_equals_every_product_averaged(self, prompted: Ade20kFolder, embedder: Embedder, window):
        examples = Ade20kExamples(prompted, window=window)
        report = evaluate_localization(embedder, examples, LocalizationConfig(map="denseav", num_bootstrap=0))
        assert report.made_with["rule"] == "denseav"
        model, inputs = embedder.model, embedder.model.config.inputs
        with torch.no_grad():
            for row in range(3):
                sounds = model.encode_audio(examples.prompt(row, inputs)).patch_tokens_PND
                image = torch.tensor(examples.image(row, pixels=inputs.frame_pixels))[None]
                seen = model.encode_visual(normalize_frames(image)).patch_tokens_PND[0]
                dense_KFCD = sounds.unflatten(1, (8, -1))
                products = torch.einsum("kfcd,nd->knfc", dense_KFCD, seen)
                mask_KC = examples.heard(row, inputs).float()
                mean_N = torch.einsum("knc,kc->n", products.mean(dim=2), mask_KC) / mask_KC.sum()
                expected_HW = mean_N.unflatten(0, model.config.visual_grid)
                torch.testing.assert_close(report.maps.maps[row], expected_HW, atol=1e-4, rtol=1e-4)

    def test_padding_does_not_count(self, prompted: Ade20kFolder, embedder: Embedder):
        """Only the first second sounds: other columns are left out, whatever the model makes of silence."""
        with wave.open(str(prompted.folder / "audio" / "horn.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            noise = np.random.default_rng(1).integers(-9000, 9000, 16_000, dtype=np.int16)
            file.writeframes(noise.tobytes())
        examples = Ade20kExamples(prompted, window=0)
        inputs = embedder.model.config.inputs
        vector_D = prompt_vectors(embedder, examples, DENSEAV)[0]
        heard_C = examples.heard(0, inputs)[0]
        with torch.no_grad():
            tokens_ND = embedder.model.encode_audio(examples.prompt(0, inputs)).patch_tokens_PND[0]
        expected_D = tokens_ND.unflatten(0, (8, -1))[:, heard_C].flatten(0, 1).mean(dim=0)
        torch.testing.assert_close(vector_D, expected_D, atol=1e-5, rtol=1e-5)

    def test_a_prompt_of_padding_alone_takes_its_first_column(self, prompted, embedder: Embedder):
        with wave.open(str(prompted.folder / "audio" / "horn.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(bytes(200))
        assert prompt_vectors(embedder, Ade20kExamples(prompted), DENSEAV).isfinite().all()

    def test_controls_are_made_by_the_same_rule(self, prompted: Ade20kFolder, embedder: Embedder):
        examples = Ade20kExamples(prompted)
        report = evaluate_localization(embedder, examples, LocalizationConfig(map="denseav", num_bootstrap=0))
        controls = {
            maps.name: maps for maps in localization_controls(embedder, examples, report.maps, DENSEAV)
        }
        for name in ("untrained", "swapped_sound", "mirrored_map", "mirrored_picture"):
            assert controls[name].made_with == {"rule": "denseav", "contrast": False}

"""Faults of weights and of how they are used."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.doctor import ExaminedModel, ExamineOptions, check_ready, examine, open_examined_model
from cavmae_sync.doctor.behaviour import check_behaviour
from cavmae_sync.doctor.dataset import check_alignment
from cavmae_sync.doctor.faults import swap_norms
from cavmae_sync.doctor.installation import check_known_vectors
from cavmae_sync.doctor.weights import check_constants, check_finite, check_layout, check_trained
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.model import CAVMAESync, DecoderConfig
from cavmae_sync.model.masking import Mask
from cavmae_sync.model.tokens import Encoded
from cavmae_sync.weights import Provenance, load_model, save_model, to_official


def with_model(examined: ExaminedModel, model: CAVMAESync) -> ExaminedModel:
    return replace(examined, embedder=examined.embedder.replace(model))


def copy_of(examined: ExaminedModel) -> CAVMAESync:
    return load_model(examined.file)


class TestConstants:
    def test_those_of_the_header_are_right(self, examined: ExaminedModel):
        assert check_constants(examined).status == "ok"

    def test_twice_the_deviation_is_named(self, weights: Path):
        found = check_constants(open_examined_model(weights, ["inputs.spectrogram_std=8.9698"], device="cpu"))
        assert found.status == "FAIL"
        assert "twice the deviation, as CAV-MAE's older code divides" in found.measured

    def test_another_mean_is_a_difference(self, weights: Path):
        found = check_constants(
            open_examined_model(weights, ["inputs.spectrogram_mean=-4.268"], device="cpu")
        )
        assert (found.status, "spectrogram_mean=-4.268" in found.measured) == ("FAIL", True)

    def test_own_weights_with_own_constants_are_no_failure(self, examined: ExaminedModel, tmp_path: Path):
        model = copy_of(examined)
        inputs = model.config.inputs.model_copy(update={"spectrogram_mean": -4.0, "spectrogram_std": 3.5})
        model.config = model.config.model_copy(update={"inputs": inputs})
        save_model(model, tmp_path / "own.safetensors", provenance=Provenance(num_frames=8))
        found = check_constants(open_examined_model(tmp_path / "own.safetensors", device="cpu"))
        assert (found.status, "not the published" in found.measured) == ("note", True)

    def test_published_weights_need_the_published_constants(self, examined: ExaminedModel):
        config = examined.made_with.model_copy(
            update={"inputs": examined.made_with.inputs.model_copy(update={"spectrogram_std": 8.9698})}
        )
        model = CAVMAESync(config)
        published = replace(
            with_model(examined, model), made_with=config, provenance=Provenance(layout="sync")
        )
        assert check_constants(published).status == "FAIL"

    def test_alignment_is_a_choice(self, weights: Path):
        found = check_constants(open_examined_model(weights, ["inputs.alignment=padded"], device="cpu"))
        assert (found.status, "alignment=padded" in found.measured) == ("note", True)


class TestAlignment:
    def test_the_lag_of_the_rule_is_told(self, examined: ExaminedModel, healthy_clips: PreparedDataset):
        found = check_alignment(examined, healthy_clips)
        rule = examined.model.config.inputs.alignment
        assert found.measured.startswith(f"{rule}: frames lie -")
        assert (found.status == "note") == (" 0 of " not in found.measured)

    def test_a_centred_model_has_none(self, weights: Path, healthy_clips: PreparedDataset):
        centered = open_examined_model(weights, ["inputs.alignment=centered"], device="cpu")
        found = check_alignment(centered, healthy_clips)
        assert found.status == "ok"
        assert "centered: frames lie -0.0" in found.measured


class TestWeights:
    def test_registers_dropped_from_an_official_file(self, examined: ExaminedModel, tmp_path: Path):
        shape = {"width": 64, "heads": 1, "decoder": DecoderConfig(width=32, depth=1, heads=1)}
        model = CAVMAESync(examined.made_with.model_copy(update=shape))
        torch.nn.init.normal_(model.joint.norm_a.weight)  # else it would be refused as untrained
        state = to_official(model)
        kept = {key: value for key, value in state.items() if "register_tokens" not in key}
        torch.save(kept, tmp_path / "lost.pth")
        words = ["heads=1", "decoder.heads=1"]
        found = check_layout(open_examined_model(tmp_path / "lost.pth", words, device="cpu"))
        assert (found.status, "register_tokens was dropped" in found.advice) == ("FAIL", True)
        with pytest.raises(ConfigError, match="add the word registers=0"):
            check_ready(open_examined_model(tmp_path / "lost.pth", words, device="cpu"), None)
        meant = open_examined_model(tmp_path / "lost.pth", [*words, "registers=0"], device="cpu")
        assert check_layout(meant).status == "ok"
        check_ready(meant, None)

    def test_nan_is_found_by_name(self, examined: ExaminedModel):
        model = copy_of(examined)
        with torch.no_grad():
            model.audio.modality[3] = torch.nan
        report = examine(with_model(examined, model))
        assert [failure.check for failure in report.failures] == ["finite weights"]
        assert "audio.modality" in check_finite(with_model(examined, model)).measured

    def test_fresh_weights_are_told(self, examined: ExaminedModel):
        fresh = CAVMAESync(examined.made_with)
        assert "fresh weights" in check_trained(with_model(examined, fresh)).measured

    def test_a_start_from_mae_is_told(self, examined: ExaminedModel):
        model = copy_of(examined)
        model.visual.blocks.load_state_dict(model.audio.blocks.state_dict())
        assert "ImageNet MAE" in check_trained(with_model(examined, model)).measured

    @pytest.mark.parametrize("content", [b"", b"not weights at all"])
    def test_a_wrong_file_is_no_weights(self, content: bytes, tmp_path: Path):
        (tmp_path / "wrong.safetensors").write_bytes(content)
        with pytest.raises(WeightsError):
            open_examined_model(tmp_path / "wrong.safetensors")


class TestProof:
    def test_the_header_agrees(self, examined: ExaminedModel):
        assert [found.status for found in check_known_vectors(examined)] == ["ok"]

    def test_swapped_norms_are_named(self, examined: ExaminedModel):
        swapped = with_model(examined, swap_norms(examined.model))
        (found,) = check_known_vectors(swapped)
        assert found.status == "FAIL"
        assert found.measured.count("with this fault: norms swapped") == 2

    def test_other_weights_of_the_same_shape(self, examined: ExaminedModel):
        other = with_model(
            examined, CAVMAESync(examined.made_with, generator=torch.Generator().manual_seed(1))
        )
        (found,) = check_known_vectors(other)
        assert "not those that the proof was made with" in found.measured

    def test_constants_that_differ_show_in_the_sound(self, weights: Path):
        (found,) = check_known_vectors(
            open_examined_model(weights, ["inputs.spectrogram_std=8.9698"], device="cpu")
        )
        assert found.measured.startswith("sound of the clip")
        assert "sound: equal to ours with this fault: half the deviation" in found.measured

    def test_without_a_proof_the_reason_is_given(self, examined: ExaminedModel):
        (found,) = check_known_vectors(replace(examined, provenance=Provenance()))
        assert (found.status, "convert" in found.measured) == ("skipped", True)


class LeakyModel(CAVMAESync):
    """A row sees the mean of its batch."""

    def encode_visual(
        self, frames_PCHW: torch.Tensor, mask: Mask | None = None, *, with_patches: bool = True
    ) -> Encoded:
        leaking_PCHW = frames_PCHW - 0.5 * frames_PCHW.mean(0)
        return super().encode_visual(leaking_PCHW, mask, with_patches=with_patches)


class TestBehaviour:
    def test_a_healthy_model_passes(self, examined: ExaminedModel):
        assert {found.status for found in check_behaviour(examined)} == {"ok"}

    def test_rows_that_see_each_other_are_found(self, examined: ExaminedModel):
        leaky = LeakyModel(examined.made_with)
        leaky.load_state_dict(examined.model.state_dict())
        failed = [
            found.check for found in check_behaviour(with_model(examined, leaky)) if found.status == "FAIL"
        ]
        assert failed == ["batch and order"]

    def test_overflow_in_float16_is_named(self, examined: ExaminedModel):
        model = copy_of(examined)
        with torch.no_grad():
            model.visual.blocks[0].get_submodule("mlp.fc1").weight.mul_(1e5)
        half = Embedder(model, device="cpu", precision="float16")
        (found,) = check_behaviour(replace(examined, embedder=half))
        assert found.check == "finite vectors"
        assert "overflow" in found.measured
        assert "bfloat16" in found.advice


class TestBeforeAScore:
    def test_ten_frames_are_refused_for_a_model_of_eight(self, examined: ExaminedModel, healthy_folder: Path):
        from cavmae_sync.data import PreparedDataset

        clips = PreparedDataset.open(healthy_folder)
        check_ready(examined, clips)
        of_ten = replace(examined, provenance=Provenance(num_frames=10))
        with pytest.raises(ConfigError, match=r"frame count: 8 frames \(needed: 10 \(the header\)\)"):
            check_ready(of_ten, clips)

    def test_a_difference_of_constants_is_refused(self, weights: Path):
        with pytest.raises(ConfigError, match="twice the deviation"):
            check_ready(open_examined_model(weights, ["inputs.spectrogram_std=8.9698"], device="cpu"), None)


def test_without_data_that_is_said(examined: ExaminedModel):
    report = examine(examined, ExamineOptions())
    assert report.is_healthy is None
    assert report.findings[-1].status == "skipped"
    assert report.verdict().startswith("NOT FULLY CHECKED: ")
    assert report.verdict().endswith("add --data DATASET")


def test_too_few_clips_leave_the_verdict_open(examined: ExaminedModel, healthy_clips: PreparedDataset):
    report = examine(examined, ExamineOptions(clips=healthy_clips.head(5)))
    assert [finding.check for finding in report.unknown] == [
        "matched pairs",
        "shuffled pairs",
        "within clips",
        "known faults",
    ]
    assert report.is_healthy is None
    assert report.verdict().startswith("NOT FULLY CHECKED: matched pairs, shuffled pairs")
    assert "known faults could not be checked (5 clips; 20 allow a claim); " in report.verdict()
    assert report.to_dict()["healthy"] is None

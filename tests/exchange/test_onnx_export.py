"""ONNX files: ONNX Runtime gives what the embedder gives, or nothing is kept."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession
from torch.nn import functional as F

from cavmae_sync import paper
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.exchange.onnx_export import OnnxExport, export_onnx
from cavmae_sync.exchange.onnx_parity import Difference, check_differences, differences
from cavmae_sync.inputs import InputConfig, ModelInput
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import Provenance, weights_fingerprint

SIDE, LENGTH = 32, 48


def make_model(**changes: Any) -> CAVMAESync:
    settings: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=SIDE, segment_length=LENGTH),
        "width": 16, "depth": 1, "heads": 2, "registers": 3,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }  # fmt: skip
    return CAVMAESync(ModelConfig(**(settings | changes)), generator=torch.Generator().manual_seed(0))


def make_inputs(count: int, *, seed: int = 1) -> ModelInput:
    generator = torch.Generator().manual_seed(seed)
    return ModelInput(
        frames_TCHW=torch.randn(count, 3, SIDE, SIDE, generator=generator),
        segments_TLM=torch.randn(count, LENGTH, 128, generator=generator),
    )


class Exported:
    def __init__(self, folder: Path, model: CAVMAESync, **choices: Any) -> None:
        self.folder, self.model = folder, model
        self.steps: list[tuple[int, int, str]] = []
        self.result: OnnxExport = export_onnx(
            model, folder, on_progress=lambda *step: self.steps.append(step), **choices
        )

    def run(self, name: str, **inputs: torch.Tensor) -> list[torch.Tensor]:
        session = InferenceSession(self.folder / name, providers=["CPUExecutionProvider"])
        return [
            torch.from_numpy(each) for each in session.run(None, {k: v.numpy() for k, v in inputs.items()})
        ]


@pytest.fixture(scope="module")
def sync(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """CAV-MAE Sync, with a licence note, compared on a real clip too."""
    return Exported(
        tmp_path_factory.mktemp("onnx") / "sync",
        make_model(),
        provenance=Provenance(licence="MIT"),
        real=make_inputs(3, seed=2),
    )


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_runtime_gives_what_the_embedder_gives(sync: Exported, batch_size: int):
    inputs, embedder = make_inputs(batch_size), Embedder(sync.model, device="cpu")
    [vectors] = sync.run("audio.onnx", segments=inputs.segments_TLM)
    torch.testing.assert_close(vectors, embedder.embed_segments(inputs.segments_TLM), atol=1e-5, rtol=0)
    vectors, patches = sync.run("visual.onnx", frames=inputs.frames_TCHW)
    expected = embedder.embed_frames(inputs.frames_TCHW, with_patches=True)
    torch.testing.assert_close(vectors, expected.visual_PD, atol=1e-5, rtol=0)
    torch.testing.assert_close(patches, expected.patches_PND, atol=1e-5, rtol=0)


def test_every_comparison_is_reported(sync: Exported):
    found = {(each.file, each.output, each.inputs, each.batch_size) for each in sync.result.differences}
    assert len(found) == len(sync.result.differences) == 3 * 2 * 3  # outputs, kinds of input, batch sizes
    assert all(each.is_within_tolerance and each.max_difference < 1e-5 for each in sync.result.differences)


def test_the_configuration_tells_how_to_use_the_files(sync: Exported):
    assert sorted(path.name for path in sync.folder.iterdir()) == ["audio.onnx", "config.json", "visual.onnx"]
    config = json.loads((sync.folder / "config.json").read_text())
    assert config["weights"] == weights_fingerprint(sync.model) == sync.result.weights
    assert config["licence"] == "MIT"
    assert config["sound"]["mean"] == paper.SPECTROGRAM_MEAN
    assert config["pictures"] == {"pixels": SIDE, "mean": list(paper.RGB_MEAN), "std": list(paper.RGB_STD)}
    for name, about in config["files"].items():
        session = InferenceSession(sync.folder / name)
        [entry] = session.get_inputs()
        assert (entry.name, entry.shape) == (about["input"]["name"], about["input"]["shape"])
        assert len(about["input"]["axes"]) == len(entry.shape)
        assert {out.name: out.shape for out in session.get_outputs()} == {
            key: value["shape"] for key, value in about["outputs"].items()
        }


def test_a_file_says_by_itself_what_it_is_and_not_where_it_was_made(sync: Exported):
    loaded = onnx.load(sync.folder / "audio.onnx")
    metadata = {entry.key: entry.value for entry in loaded.metadata_props}
    assert metadata["weights"] == weights_fingerprint(sync.model)
    assert metadata["licence"] == "MIT"
    assert ModelConfig.model_validate_json(metadata["model"]) == sync.model.config
    assert b"cavmae_sync/" not in (sync.folder / "audio.onnx").read_bytes()


def test_a_file_holds_one_encoder_and_the_joint_layer_only(sync: Exported):
    """Neither the other encoder nor the decoder: twice the size otherwise."""
    held = sum(np.prod(each.dims) for each in onnx.load(sync.folder / "visual.onnx").graph.initializer)
    parts = (sync.model.visual, sync.model.joint)
    assert held < 1.3 * sum(value.numel() for part in parts for value in part.parameters())


def test_the_model_is_left_as_it_was(sync: Exported):
    assert sync.model.training
    assert not any(value.grad is not None for value in sync.model.parameters())
    assert [step[2] for step in sync.steps][:2] == ["recording audio.onnx", "comparing audio.onnx"]
    assert sync.steps[-1][:2] == (4, 4)


class TestRefused:
    def test_another_model_is_noticed(self, sync: Exported):
        """A file compared with a model of other weights, as a broken export would be."""
        other = make_model()
        with torch.no_grad():
            other.joint.norm_a.weight[0] += 0.05

        class Vectors(torch.nn.Module):
            def forward(self, segments):
                return (F.normalize(other.encode_audio(segments).global_token_PD, dim=-1),)

        with torch.no_grad():
            found = list(
                differences(
                    sync.folder / "audio.onnx",
                    Vectors(),
                    row_shape=(LENGTH, 128),
                    outputs=("vectors",),
                    real=None,
                )
            )
        with pytest.raises(
            WeightsError, match=r"3 of 3 comparisons .* no file was kept\. Worst: audio\.onnx"
        ):
            check_differences(found)

    def test_weights_that_are_not_finite_leave_nothing(self, tmp_path: Path):
        model = make_model()
        with torch.no_grad():
            model.joint.norm_a.bias.fill_(float("nan"))
        with pytest.raises(WeightsError, match="no file was kept"):
            export_onnx(model, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("largest", "angle"), [(float("nan"), 0.0), (0.0, float("nan")), (2e-4, 0.0), (0.0, 2e-6)]
    )
    def test_what_is_out_of_tolerance(self, largest: float, angle: float):
        bad = Difference(
            file="x",
            output="y",
            inputs="random",
            batch_size=1,
            max_difference=largest,
            max_one_minus_cosine=angle,
        )
        assert not bad.is_within_tolerance

    def test_a_folder_of_something_else(self, tmp_path: Path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(ConfigError, match=r"holds a config\.json that is not an export"):
            export_onnx(make_model(), tmp_path)

    def test_a_file_in_the_place_of_the_folder(self, tmp_path: Path):
        (tmp_path / "x").write_text("")
        with pytest.raises(ConfigError, match="is a file"):
            export_onnx(make_model(), tmp_path / "x")

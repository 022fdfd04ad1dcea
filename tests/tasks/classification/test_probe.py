"""A probe in a file: the same probabilities, and no use on another model."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import WeightsError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.heads import HeadConfig, make_head
from cavmae_sync.tasks import untrained
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.probe import PROBE_FILE, Probe
from cavmae_sync.weights import weights_fingerprint

CLASSES = ("bell", "dog", "日本語; 'x'")


def make_probe(*, kind: str = "transformer", loss: str = "bce", weights: str = "a" * 64) -> Probe:
    config = HeadConfig(kind=kind, width=16, num_classes=3)
    return Probe(
        head=make_head(config, generator=torch.Generator().manual_seed(0)),
        head_config=config,
        classes=CLASSES,
        features=FeatureConfig(tokens="patch_mean", modalities="audio"),
        loss=loss,
        weights=weights,
        model_path="/somewhere/run",
    )


@pytest.mark.parametrize("kind", ["transformer", "linear"])
@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_saved_and_loaded_it_says_the_same(kind, loss, tmp_path: Path):
    probe = make_probe(kind=kind, loss=loss)
    probe.save(tmp_path / PROBE_FILE)
    features_BTD = torch.randn(2, 5, 16)
    for loaded in (Probe.load(tmp_path / PROBE_FILE), Probe.load(tmp_path)):
        assert torch.equal(loaded.probabilities(features_BTD), probe.probabilities(features_BTD))
        assert (loaded.classes, loaded.features, loaded.loss) == (CLASSES, probe.features, loss)
        assert (loaded.weights, loaded.model_path) == (probe.weights, probe.model_path)


def test_what_the_outputs_mean():
    features_BTD = torch.randn(4, 3, 16)
    several, one = make_probe(loss="bce"), make_probe(loss="ce")
    with torch.inference_mode():  # as the probe: other kernels compute where gradients are asked for
        logits = one.head(features_BTD).double()
    torch.testing.assert_close(several.probabilities(features_BTD), 1 / (1 + (-logits).exp()))
    torch.testing.assert_close(one.probabilities(features_BTD).sum(dim=1), torch.ones(4).double())


def test_any_number_of_frames_and_half_precision():
    probe = make_probe()
    assert probe.probabilities(torch.randn(1, 37, 16).half()).shape == (1, 3)
    with pytest.raises(ValueError, match=r"must be \[clips, frames, 16\]"):
        probe.probabilities(torch.randn(1, 4, 17))


def test_another_model_is_refused(model: CAVMAESync):
    embedder = Embedder(model, device="cpu")
    probe = make_probe(weights=weights_fingerprint(model))
    probe.check_weights(weights_fingerprint(model))
    with pytest.raises(WeightsError, match="from /somewhere/run"):
        probe.check_weights(weights_fingerprint(untrained(embedder, seed=9).model))


def test_files_that_are_no_probe(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(WeightsError, match="does not exist"):
        Probe.load(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        Probe.load(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"format": "cavmae-sync/1"})
    with pytest.raises(WeightsError, match="header says 'cavmae-sync/1'"):
        Probe.load(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"format": "cavmae-sync probe/1", "probe": "{}"})
    with pytest.raises(WeightsError, match="damaged probe"):
        Probe.load(path)


def rewritten(path: Path, *, tensors: dict[str, torch.Tensor] | None = None, **changes: object) -> Path:
    """A probe in a file whose description, or numbers, somebody has changed."""
    make_probe(kind="linear").save(path)
    with safe_open(path, framework="pt") as opened:
        metadata = opened.metadata()
        state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    about = json.loads(metadata["probe"]) | changes
    save_file(tensors or state, path, metadata=metadata | {"probe": json.dumps(about)})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "evil"}, "one of bce, ce"),
        ({"classes": [1, 2, 3]}, "not a list of names"),
        ({"classes": "abc"}, "not a list of names"),
        ({"classes": ["a", "b", "b"]}, "the same name"),
        ({"classes": ["a", "b", "\x1b]0;title\x07"]}, "cannot be printed"),
        ({"model_path": 5}, "not described by text"),
        ({"weights": 5}, "not described by text"),
        ({"head": {"kind": "transformer", "width": 16, "num_classes": 3, "depth": 10**8}}, "too few"),
        ({"head": {"kind": "linear", "width": 10**7, "num_classes": 10**7}}, "size mismatch"),
    ],
    ids=str,
)
def test_a_hostile_description_is_refused_before_it_costs_anything(changes, message, tmp_path: Path):
    with pytest.raises(WeightsError, match=message):
        Probe.load(rewritten(tmp_path / PROBE_FILE, **changes))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(bad, tmp_path: Path):
    tensors = {"classify.weight": torch.full((3, 16), bad), "classify.bias": torch.zeros(3)}
    with pytest.raises(WeightsError, match=r"classify\.weight holds values that are not finite"):
        Probe.load(rewritten(tmp_path / PROBE_FILE, tensors=tensors))

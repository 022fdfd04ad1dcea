"""Classes of a probe as questions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import ConfigError
from cavmae_sync.model.heads import HeadConfig, make_head
from cavmae_sync.search import LibrarySearch, SearchOptions
from cavmae_sync.search.query_vectors import class_query, text_query
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.probe import Probe

from .made import make_library, wander

WIDTH = 16


@pytest.fixture
def library(tmp_path: Path) -> Library:
    contents = {
        f"{n}.mp4": (wander(8, WIDTH, seed=2 * n), wander(8, WIDTH, seed=2 * n + 1)) for n in range(6)
    }
    return make_library(tmp_path / "library", contents)


def probe_of(
    *, loss: str = "bce", modalities: str = "both", depth: str = "joint", weights: str = "none"
) -> Probe:
    features = FeatureConfig(depth=depth, modalities=modalities)
    width = WIDTH * len(features.parts)
    config = HeadConfig(kind="linear", width=width, num_classes=3)
    head = make_head(config, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        head.classify.weight[:, WIDTH:] *= 3  # one sense counts more than the other
    return Probe(
        head=head,
        head_config=config,
        classes=("dog", "rain", "bell"),
        features=features,
        loss=loss,
        weights=weights,
    )


@pytest.mark.parametrize("loss", ["bce", "ce"])
@pytest.mark.parametrize("modalities", ["both", "audio"])
def test_moments_are_in_the_order_of_the_probe(library: Library, loss: str, modalities: str):
    probe = probe_of(loss=loss, modalities=modalities)
    found = LibrarySearch(library).search(
        class_query(library.record, probe, "rain"), SearchOptions(num_hits=100)
    )
    assert (found.matches, found.about) == (None, "class 'rain'")
    search = LibrarySearch(library)
    rows = [np.asarray(search.timelines.mapped(sense), np.float32) for sense in probe.features.parts]
    logits = np.concatenate(rows, axis=1) @ probe.head.classify.weight.detach().numpy().T
    wanted = logits[:, 1] - (logits.mean(axis=1) if loss == "ce" else 0)
    numbers = [
        int(search.timelines.first_C[search.timelines.number[hit.content]]) + round(hit.start_seconds / 0.5)
        for hit in found.hits
    ]
    assert numbers[0] == int(wanted.argmax())
    assert (np.diff(wanted[numbers]) <= 1e-6).all()


def test_what_cannot_be_asked_is_said(library: Library, embedder):
    with pytest.raises(ConfigError, match=r"There is no class 'dgo'\. Did you mean 'dog'"):
        class_query(library.record, probe_of(), "dgo")
    with pytest.raises(ConfigError, match=r"features.depth=joint"):
        class_query(library.record, probe_of(depth="encoder"), "dog")
    with pytest.raises(ConfigError, match="Train a probe on the model of the library"):
        class_query(library.record, probe_of(weights="other"), "dog")
    with pytest.raises(ConfigError, match=r"knows no words.*--class NAME"):
        text_query(embedder, library.config, "a dog")

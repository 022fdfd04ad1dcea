"""A library embedded on Ray: decoded by tasks, encoded by actors, the same bytes."""

from pathlib import Path

import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import as_encoder
from cavmae_sync.embedding.library import FillOptions, Throughput, add_to_library
from cavmae_sync.embedding.library.on_ray import _pipeline
from cavmae_sync.embedding.library.pieces import LibraryUnit
from cavmae_sync.errors import WeightsError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.work import RayCluster
from cavmae_sync.work.on_ray import ray_started

from .conftest import SMALL, Held

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\."),  # of Ray's own making
]


@pytest.mark.long
def test_a_library_made_on_ray_is_the_same_bytes(
    videos: Path, embedder: Embedder, library: Path, tmp_path: Path, held: Held
) -> None:
    throughputs: list[Throughput] = []
    options = FillOptions(
        num_workers=RayCluster(),
        on_progress=lambda _done, _total, throughput: throughputs.append(throughput),
    )
    run = add_to_library(embedder, videos, out=tmp_path / "ray", config=SMALL, options=options)
    assert run.report.is_complete
    assert held(tmp_path / "ray") == held(library)
    assert throughputs[-1].num_clips >= run.report.num_clips > 0
    assert 0 <= throughputs[-1].waiting_fraction <= 1


@pytest.mark.slow
def test_encoders_do_not_decode(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    encoder = as_encoder(embedder)
    unit = LibraryUnit(
        index=0,
        root=videos,
        path="long.mp4",
        out=tmp_path,
        config=SMALL.with_rule(encoder.sampling),
        preparation=encoder.preparation,
    )
    with ray_started(RayCluster()) as ray:
        done = _pipeline(ray, encoder, [unit]).materialize()
    assert "Map(_Encode)" in done.stats()
    assert "->Map(_Encode)" not in done.stats(), "Ray joined the two into one actor"


@pytest.mark.slow
def test_weights_that_give_no_numbers_are_named(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    model = CAVMAESync(embedder.model.config, generator=torch.Generator().manual_seed(0))
    torch.nn.init.constant_(model.joint.norm_a.weight, float("nan"))
    broken = Embedder(model, device="cpu")
    with pytest.raises(WeightsError, match="finite"):
        add_to_library(
            broken,
            videos / "a" / "dog.mp4",
            out=tmp_path / "out",
            config=SMALL,
            options=FillOptions(num_workers=RayCluster()),
        )

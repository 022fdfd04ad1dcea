"""Small datasets made once for all tests that need real data: generated clips, and videos with faults."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch

from cavmae_sync.atomic import locked
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.embedding import Embedder
from cavmae_sync.model import CAVMAESync
from cavmae_sync.stage import StageConfig, make_stage

from .small_models import small_model
from .small_videos import SMALL, make_video, noise_dataset

# Tests run side by side (pytest -n auto): threads that wait for each other on shared cores cost far more
# than they give. Processes that tests start inherit the setting.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# A loaded machine is slow now and then; that is no failure.
hypothesis.settings.register_profile("without deadline", deadline=None)
hypothesis.settings.load_profile("without deadline")


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    """Fresh weights of a fixture are the same whichever tests ran before it in this process."""
    torch.manual_seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """And so are those of a test."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Gives folders that all workers of pytest-xdist share: the first to need one makes it, others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        path, done = shared / name, shared / f"{name}.done"
        with locked(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(path, ignore_errors=True)  # of a worker that failed
                path.mkdir()
                make(path)
                done.touch()
        return path

    return folder


@pytest.fixture(scope="session")
def prepared_folder(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """14 clips of one second: 4 frames of 32 pixels each, and sound. Shared: do not change it."""

    def make(folder: Path) -> None:
        stage = StageConfig(variant="easy", clip_seconds=1.0, frame_pixels=32, frames_per_second=4)
        make_stage(folder / "stage", config=stage, num_clips=14, num_workers=1)
        prepare(
            folder / "stage" / "clips",
            out=folder / "prepared",
            config=PrepareConfig(clip_seconds=1.0, num_frames=4, frame_pixels=32),
            labels=folder / "stage" / "labels.csv",
            num_workers=0,
        )

    return made_once("generated", make) / "prepared"


@pytest.fixture
def stage_folder(prepared_folder: Path) -> Path:
    """The stage that the small prepared dataset was made from, with its truth."""
    return prepared_folder.parent / "stage"


@pytest.fixture
def prepared(prepared_folder: Path) -> PreparedDataset:
    """The small prepared dataset, opened."""
    return PreparedDataset.open(prepared_folder)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine files: six good ones, of which one is silent, one still, one long; two bad, one no media."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a" / "dog.mp4", seed=1)
    make_video(folder / "b" / "dog.mp4", seed=2)
    make_video(folder / "long.mp4", seconds=5.0, seed=3)
    make_video(folder / "quiet.mp4", seed=4, sounds=False)
    make_video(folder / "still.mp4", seed=5, moves=False)
    shutil.copy(folder / "a" / "dog.mp4", folder / "z_copy.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video at all")
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest.fixture(scope="session")
def prepared_videos(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small videos, prepared in one go in this process. Shared: do not change it."""
    out = tmp_path_factory.mktemp("prepared") / "dataset"
    labels = out.parent / "labels.csv"
    labels.write_text("video_id,labels\nb/dog,bark;growl\nlong,song\nnobody,x\n")
    prepare(videos, out=out, config=SMALL, labels=labels, num_workers=0)
    return out


@pytest.fixture
def clips(prepared_videos: Path) -> PreparedDataset:
    """The small videos, prepared and opened."""
    return PreparedDataset.open(prepared_videos)


@pytest.fixture(scope="session")
def two_clips(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Two clips of 1 s, with 4 frames of 16 pixels each: tiles that change, and noise."""
    config = PrepareConfig(frame_pixels=16, num_frames=4, min_seconds=0.5)
    return noise_dataset(tmp_path_factory.mktemp("two_clips"), num_clips=2, seconds=1, config=config)


@pytest.fixture
def model() -> CAVMAESync:
    """A small CAV-MAE Sync for frames of 32 pixels, with segments of the published length."""
    return small_model()


@pytest.fixture
def plain_model() -> CAVMAESync:
    """CAV-MAE: no global token, and the whole spectrogram as the one segment."""
    return small_model(segment_length=1024, global_token=False, registers=0)


@pytest.fixture
def embedder() -> Embedder:
    """A small model for frames of 16 pixels and short segments, ready to embed."""
    return Embedder(small_model(frame_pixels=16, segment_length=16, registers=1), device="cpu")


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder, by their paths below it."""

    def read(folder: Path) -> dict[str, bytes]:
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], list[str]]:
    """Writes a figure to a file, draws nothing into a window, and returns the texts in it."""
    import matplotlib.pyplot as plt
    from PIL import Image

    from cavmae_sync.figures import save_figure

    def save(figure: Any) -> list[str]:
        path = tmp_path / "figure.png"
        save_figure(figure, path)
        assert plt.get_fignums() == []
        assert [file.name for file in tmp_path.iterdir()] == ["figure.png"]
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert np.asarray(image).std() > 5
        return [text.get_text() for text in figure.findobj(match=plt.Text) if text.get_text()]

    return save


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """One Ray of this machine for all tests that need one; what we start finds it and leaves it running."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    store_bytes = 100 * 2**20
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=store_bytes,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()

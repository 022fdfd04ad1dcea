"""A model of 64 wide that was trained on generated clips, and clips that it has not seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.data import PreparedDataset
from cavmae_sync.doctor import ExaminedModel, open_examined_model
from cavmae_sync.stage import StageConfig
from cavmae_sync.stage.generate import generate_clip
from cavmae_sync.stage.procedural import ProceduralPack

from .planted import RawClip, write_dataset

GOLDEN = Path(__file__).parents[1] / "golden"
CLIP_SECONDS = 4.0
#: Enough for most faults; swapped colours, the mildest, need more.
NUM_CLIPS, MOST_CLIPS = 48, 90
_FRAMES = [0, 2, 4, 6, 9, 11, 13, 15]


@pytest.fixture(scope="session")
def weights() -> Path:
    return GOLDEN / "doctor_tiny.safetensors"


@pytest.fixture(scope="session")
def examined(weights: Path) -> ExaminedModel:
    return open_examined_model(weights, device="cpu")


def generated(indices: range) -> list[RawClip]:
    """Objects of the training split, in clips of another seed."""
    config = StageConfig(
        seed=1,
        variant="easy",
        frame_pixels=48,
        clip_seconds=CLIP_SECONDS,
        frames_per_second=4,
        silent_fraction=0.2,
        off_stage_fraction=0.0,
    )
    pack = ProceduralPack()
    made = (generate_clip(index, config=config, pack=pack) for index in indices)
    return [RawClip(np.stack(list(clip.frames_THWC))[_FRAMES], clip.waveform_S) for clip in made]


@pytest.fixture(scope="session")
def raw_clips() -> list[RawClip]:
    return generated(range(NUM_CLIPS))


@pytest.fixture(scope="session")
def many_raw_clips(raw_clips: list[RawClip]) -> list[RawClip]:
    return raw_clips + generated(range(NUM_CLIPS, MOST_CLIPS))


@pytest.fixture(scope="session")
def healthy_folder(raw_clips: list[RawClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(raw_clips, tmp_path_factory.mktemp("healthy"), clip_seconds=CLIP_SECONDS).folder


@pytest.fixture(scope="session")
def healthy_clips(healthy_folder: Path) -> PreparedDataset:
    return PreparedDataset.open(healthy_folder)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[list[RawClip]], PreparedDataset]:
    """Clips as somebody would give them to us: files, imported."""
    return lambda given: write_dataset(given, tmp_path, clip_seconds=CLIP_SECONDS)

"""A model of 64 wide that was trained on generated clips, and clips that it has not seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.manifest import ClipRow
from cavmae_sync.data.stage import StageConfig
from cavmae_sync.data.stage.generate import generate_clip
from cavmae_sync.data.stage.procedural import ProceduralPack
from cavmae_sync.evaluation.doctor import Subject, open_subject
from cavmae_sync.inputs import log_mel

from .planted import RawClip, write_dataset

GOLDEN = Path(__file__).parents[2] / "golden"
CLIP_SECONDS = 4.0
NUM_CLIPS = 48
_FRAMES = [0, 2, 4, 6, 9, 11, 13, 15]


@pytest.fixture(scope="session")
def weights() -> Path:
    return GOLDEN / "doctor_tiny.safetensors"


@pytest.fixture(scope="session")
def subject(weights: Path) -> Subject:
    return open_subject(weights, device="cpu")


@pytest.fixture(scope="session")
def raw_clips() -> list[RawClip]:
    """Objects of the training split, in clips of another seed."""
    config = StageConfig(
        seed=1,
        frame_pixels=48,
        clip_seconds=CLIP_SECONDS,
        frames_per_second=4,
        silent_fraction=0.2,
        off_stage_fraction=0.0,
    )
    pack = ProceduralPack()
    made = (generate_clip(index, config=config, pack=pack) for index in range(NUM_CLIPS))
    return [RawClip(np.stack(list(clip.frames_THWC))[_FRAMES], clip.waveform_S) for clip in made]


@pytest.fixture(scope="session")
def healthy_folder(raw_clips: list[RawClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(raw_clips, tmp_path_factory.mktemp("healthy"), clip_seconds=CLIP_SECONDS).folder


@dataclass
class _Row:
    start_seconds: float = 0.0
    stop_seconds: float = CLIP_SECONDS


class ClipsInMemory:
    """What the doctor reads of a dataset, without files: half a minute less for the tests."""

    def __init__(self, clips: list[RawClip], *, log_mels: list[NDArray[np.float32]] | None = None) -> None:
        self.clips = clips
        self.num_frames = len(clips[0].frames_THWC)
        made = (log_mel(np.ascontiguousarray(clip.waveform_S)).numpy() for clip in clips)
        self.log_mels = list(made) if log_mels is None else log_mels

    def __len__(self) -> int:
        return len(self.clips)

    def head(self, num_clips: int) -> "ClipsInMemory":
        return ClipsInMemory(self.clips[:num_clips], log_mels=self.log_mels[:num_clips])

    def row(self, _index: int) -> ClipRow:
        return cast("ClipRow", _Row())

    def clip_id(self, index: int) -> str:
        return f"clip{index}"

    def read_frame(self, index: int, frame: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.clips[index].frames_THWC[frame])

    def read_waveform(self, index: int) -> NDArray[np.float32]:
        return self.clips[index].waveform_S

    def num_spectrogram_frames(self, index: int) -> int:
        return len(self.log_mels[index])

    def read_log_mel_rows(self, index: int, *, start: int, stop: int) -> NDArray[np.float16]:
        return self.log_mels[index][start:stop].astype(np.float16)


def in_memory(clips: list[RawClip], **changes: list[NDArray[np.float32]]) -> PreparedDataset:
    return cast("PreparedDataset", ClipsInMemory(clips, **changes))

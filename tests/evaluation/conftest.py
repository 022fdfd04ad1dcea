"""A small model, and clips in memory whose sound and pictures are noise."""

from typing import Any

import pytest
import torch

from cavmae_sync.data.batch import Batch
from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


def small_model(**changes: Any) -> CAVMAESync:
    shape: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=16, segment_length=16),
        "width": 16,
        "depth": 1,
        "heads": 2,
        "registers": 1,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return CAVMAESync(ModelConfig(**(shape | changes)), generator=torch.Generator().manual_seed(0)).eval()


class ClipsInMemory:
    """`num_distinct`: how many clips differ. `same`: the sound carries the numbers of the picture."""

    def __init__(self, num_clips: int, *, num_distinct: int | None = None, same: bool = False) -> None:
        self.num_clips, self.num_frames, self.same = num_clips, 4, same
        self.num_distinct = num_distinct or num_clips
        self.num_reads = 0

    def __len__(self) -> int:
        return self.num_clips

    def __getitem__(self, index: int, /) -> Batch:
        generator = torch.Generator().manual_seed(index % self.num_distinct)
        self.num_reads += 1
        frames = self.num_frames
        frames_PCHW = torch.randn(frames, 3, 16, 16, generator=generator)
        segments_PLM = torch.randn(frames, 16, 128, generator=generator)
        if self.same:
            segments_PLM[:, :, :48] = frames_PCHW.reshape(frames, 16, 48)
        return Batch(
            frames_PCHW=frames_PCHW,
            segments_PLM=segments_PLM,
            clip_index_P=torch.zeros(frames, dtype=torch.int64),
            frame_index_P=torch.arange(frames),
            span_start_P=torch.arange(frames),
            row_B=torch.tensor([index]),
            clip_ids=(f"clip{index:03}",),
            labels=((),),
        )


@pytest.fixture
def embedder() -> Embedder:
    return Embedder(small_model(), device="cpu")


@pytest.fixture
def make_clips() -> type[ClipsInMemory]:
    return ClipsInMemory

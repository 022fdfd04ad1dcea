"""A small model, and a small dataset of whole clips in memory."""

from typing import Any

import pytest
import torch

from cavmae_sync.data.batch import Batch
from cavmae_sync.inputs import InputConfig, cut_segments
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


def small_model(*, segment_length: int = 416, **changes: Any) -> CAVMAESync:
    shape: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=32, segment_length=segment_length),
        "width": 16,
        "depth": 1,
        "heads": 2,
        "registers": 2,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return CAVMAESync(ModelConfig(**(shape | changes)), generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def model() -> CAVMAESync:
    return small_model()


@pytest.fixture
def plain_model() -> CAVMAESync:
    """CAV-MAE: no global token, and the whole spectrogram as the one window."""
    return small_model(segment_length=1024, global_token=False, registers=0)


class ClipsInMemory:
    """Clips of noise with `num_frames` frames and 9.98 s of spectrogram each."""

    def __init__(self, config: InputConfig, *, num_clips: int, num_frames: int = 16) -> None:
        self.config, self.num_clips, self.num_frames = config, num_clips, num_frames

    def __len__(self) -> int:
        return self.num_clips

    def __getitem__(self, index: int, /) -> Batch:
        generator = torch.Generator().manual_seed(index)
        log_mel_NM = torch.randn(998, 128, generator=generator) * 4 - 5
        side = self.config.frame_pixels
        frames = range(self.num_frames)
        segments = cut_segments(
            log_mel_NM, frame_indices=frames, num_frames=self.num_frames, config=self.config
        )
        return Batch(
            frames_PCHW=torch.randn(self.num_frames, 3, side, side, generator=generator),
            segments_PLM=segments,
            clip_index_P=torch.zeros(self.num_frames, dtype=torch.int64),
            frame_index_P=torch.arange(self.num_frames),
            span_start_P=torch.zeros(self.num_frames, dtype=torch.int64),
            row_B=torch.tensor([index]),
            clip_ids=(f"clip{index}",),
            labels=(("noise",),),
        )


@pytest.fixture
def clips(model) -> ClipsInMemory:
    return ClipsInMemory(model.config.inputs, num_clips=3)

"""Decoded frames in memory: the same frames, decoded once, up to a limit."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.storage.frame_memory import FrameMemory
from cavmae_sync.errors import DatasetError

FRAME_BYTES = 64 * 64 * 3
PLACES = [(clip, frame) for clip in range(8) for frame in range(4)]


def test_frames_are_those_of_the_files(clips: PreparedDataset) -> None:
    kept = clips.keeping_frames(max_bytes=5 * FRAME_BYTES)
    for _ in range(2):
        assert torch.equal(kept.read_frames(PLACES), clips.read_frames(PLACES))


def test_a_frame_is_decoded_once_while_there_is_room(prepared_videos: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(prepared_videos, tmp_path / "copy"))
    kept = PreparedDataset.open(folder).keeping_frames(max_bytes=2 * FRAME_BYTES + 1)
    first = kept.read_frames(PLACES[:3])
    kept.close()
    shutil.rmtree(folder / "shards")
    assert torch.equal(kept.read_frames(PLACES[:2]), first[:2])
    assert torch.equal(kept.subset([0]).read_frames(PLACES[:2]), first[:2])  # subsets share the memory
    with pytest.raises(DatasetError, match="is missing"):
        kept.read_frame(*PLACES[2])


def test_a_frame_may_be_changed_without_changing_what_is_kept(clips: PreparedDataset) -> None:
    kept = clips.keeping_frames(max_bytes=FRAME_BYTES)
    for _ in range(2):
        frame_HWC = kept.read_frame(0, 0)
        assert np.array_equal(frame_HWC, clips.read_frame(0, 0))
        frame_HWC[:] = 0


def test_a_pickled_copy_keeps_nothing(clips: PreparedDataset) -> None:
    kept = clips.keeping_frames(max_bytes=100 * FRAME_BYTES)
    kept.read_frame(0, 0)
    assert len(pickle.dumps(kept)) < FRAME_BYTES


def test_memory_has_a_limit() -> None:
    memory = FrameMemory(max_bytes=100)
    for number in range(3):
        memory.keep((0, number), np.full((4, 4, 3), number, dtype=np.uint8))
    assert [memory.get((0, number)) is not None for number in range(3)] == [True, True, False]

"""Clips kept aside: files never straddle, and the choice never moves."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.data.loading.split import split_by_file
from cavmae_sync.errors import DatasetError
from cavmae_sync.media import write_video


@pytest.fixture(scope="module")
def several_per_file(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Five files of three clips each."""
    folder = tmp_path_factory.mktemp("split")
    (folder / "videos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(5):
        write_video(
            folder / "videos" / f"{i}.mp4",
            generator.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8),
            frames_per_second=4,
            waveform_S=generator.uniform(-0.3, 0.3, 48000).astype(np.float32),
        )
    config = PrepareConfig(clip_seconds=1.0, num_frames=2, frame_pixels=16, min_seconds=0.5)
    prepare(folder / "videos", out=folder / "prepared", config=config, num_workers=0)
    return PreparedDataset.open(folder / "prepared")


def sources(clips: PreparedDataset, rows: tuple[int, ...]) -> set[str]:
    return {Path(clips.row(row).source).name for row in rows}


def test_clips_of_one_file_stay_together(several_per_file: PreparedDataset):
    slices = split_by_file(several_per_file, fraction=0.4, seed=0)
    assert sorted(slices.kept + slices.held_out) == list(range(len(several_per_file)))
    assert sources(several_per_file, slices.kept) & sources(several_per_file, slices.held_out) == set()
    assert len(several_per_file) == 15


def test_the_hashes_of_a_column_are_those_of_its_rows(several_per_file: PreparedDataset):
    for clips in (several_per_file, several_per_file.subset([7, 2, 14])):
        assert clips.content_hashes == [clips.row(row).content_hash for row in range(len(clips))]


def test_other_clips_in_the_list_change_nothing(several_per_file: PreparedDataset):
    whole = split_by_file(several_per_file, fraction=0.4, seed=0)
    backwards = several_per_file.subset(range(14, -1, -1))
    held_out = sources(backwards, split_by_file(backwards, fraction=0.4, seed=0).held_out)
    assert held_out == sources(several_per_file, whole.held_out)


def test_the_seed_decides(prepared: PreparedDataset):
    held_out = {split_by_file(prepared, fraction=0.5, seed=seed).held_out for seed in range(5)}
    assert len(held_out) > 1
    assert split_by_file(prepared, fraction=0.5, seed=3) == split_by_file(prepared, fraction=0.5, seed=3)


def test_an_empty_part_is_an_error(prepared: PreparedDataset):
    with pytest.raises(DatasetError, match="too few to hold out"):
        split_by_file(prepared.head(1), fraction=0.5, seed=0)

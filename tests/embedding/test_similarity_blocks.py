import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cavmae_sync.embedding import AGGREGATIONS, similarity_blocks, similarity_matrix
from cavmae_sync.embedding import similarity as module


def unit_rows(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of at most 8 clips, so that 27 clips make 4 tiles of 7, the last one filled up."""
    monkeypatch.setattr(module, "_TILE_CLIPS", 8)
    monkeypatch.setattr(module, "_LEAST_TILE_CLIPS", 1)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_blocks_cover_the_matrix_once_and_begin_with_own_scores(aggregation):
    audio, visual = unit_rows(27, 3, 5), unit_rows(27, 3, 5, seed=1)
    covered = torch.zeros(27, 27, dtype=torch.int64)
    blocks = list(similarity_blocks(audio, visual, aggregation=aggregation))
    for block in blocks:
        covered[block.rows, block.columns] += 1
    assert torch.equal(covered, torch.ones_like(covered))
    assert [block.rows == block.columns for block in blocks] == [True] * 4 + [False] * 12
    assert [block.scores_QG.shape[0] for block in blocks[:4]] == [7, 7, 7, 6]
    joined = similarity_matrix(audio, visual, aggregation=aggregation)
    for block in blocks:
        assert torch.equal(block.scores_QG, joined[block.rows, block.columns])


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_tiles_do_not_change_the_scores(aggregation, monkeypatch):
    audio, visual = unit_rows(27, 3, 5), unit_rows(20, 3, 5, seed=1)
    tiled = similarity_matrix(audio, visual, aggregation=aggregation)
    monkeypatch.setattr(module, "_TILE_CLIPS", 2048)
    torch.testing.assert_close(tiled, similarity_matrix(audio, visual, aggregation=aggregation))


@pytest.mark.parametrize("width", [33, 48])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_equal_clips_have_equal_scores_wherever_they_stand(aggregation, width, monkeypatch):
    """In other tiles, at other places of a tile, in tiles that are filled up, at odd addresses of memory."""
    monkeypatch.setattr(module, "_TILE_CLIPS", 40)
    monkeypatch.setattr(module, "_LEAST_TILE_CLIPS", 1)
    kinds = torch.arange(155) % 5
    audio, visual = unit_rows(5, 4, width)[kinds], unit_rows(5, 4, width, seed=1)[kinds]
    scores = similarity_matrix(audio, visual, aggregation=aggregation)
    for a in range(5):
        for v in range(5):
            assert len(scores[kinds == a][:, kinds == v].unique()) == 1


def test_half_precision_and_memory_mapped_vectors_are_read_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TILE_CLIPS", 8)
    monkeypatch.setattr(module, "_LEAST_TILE_CLIPS", 1)
    audio, visual = unit_rows(27, 3, 5).half(), unit_rows(27, 3, 5, seed=1).half()
    expected = similarity_matrix(audio.float(), visual.float())
    assert torch.equal(similarity_matrix(audio, visual), expected)
    np.save(tmp_path / "audio.npy", audio.numpy())
    mapped = torch.from_numpy(np.load(tmp_path / "audio.npy", mmap_mode="r+"))
    assert torch.equal(similarity_matrix(mapped, visual), expected)


def test_clips_of_many_wide_frames_make_smaller_tiles(monkeypatch):
    monkeypatch.setattr(module, "_TILE_BYTES", 4 * 3 * 5 * 100)  # a hundred clips
    clips = unit_rows(250, 3, 5)
    assert max(len(block.scores_QG) for block in similarity_blocks(clips, clips)) == 84


def test_there_are_no_blocks_of_nothing():
    assert similarity_matrix(torch.zeros(0, 2, 3), torch.zeros(4, 2, 3)).shape == (0, 4)

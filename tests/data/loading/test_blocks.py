"""Clips in blocks: complete, repeatable, resumable, shared out by lanes, and how random it is."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavmae_sync.data import BatchDraws, ClipSampler, Draw, PreparedDataset
from cavmae_sync.data.loading.blocks import BlockOrder
from cavmae_sync.data.storage.byte_ranges import RangeReader
from cavmae_sync.inputs import Span


def order(num_clips: int = 10_000, *, seed: int = 0, batch_size: int = 64, **sizes: int) -> BlockOrder:
    return BlockOrder(
        num_clips, seed=seed, batch_size=batch_size, **{"block_clips": 32, "buffer_clips": 2048} | sizes
    )


def batches(num: int, found: BlockOrder, batch_size: int = 64, **share: int) -> list[BatchDraws]:
    return list(islice(ClipSampler(found, batch_size=batch_size, **share), num))


@given(
    num_clips=st.integers(1, 300),
    batch=st.integers(1, 40),
    block=st.integers(1, 50),
    buffer=st.integers(1, 200),
)
@settings(max_examples=60, deadline=None)
def test_every_clip_comes_once_an_epoch(num_clips: int, batch: int, block: int, buffer: int) -> None:
    batch = min(batch, num_clips)
    found = order(num_clips, batch_size=batch, block_clips=block, buffer_clips=buffer)
    assert sorted(found.clips(3).tolist()) == list(range(num_clips))
    assert len(found.stretches()) == num_clips // batch * batch


def test_epochs_and_seeds_differ_and_repeat() -> None:
    first = order().clips(0).tolist()
    assert first == order().clips(0).tolist()
    assert first != order().clips(1).tolist()
    assert first != order(seed=1).clips(0).tolist()


def test_order_is_pinned() -> None:
    """A change here changes every run that is resumed across it."""
    found = order(12, batch_size=4, block_clips=2, buffer_clips=16)
    assert found.clips(2).tolist() == [11, 9, 0, 4, 2, 8, 10, 6, 1, 7, 3, 5]


def test_it_resumes_anywhere() -> None:
    straight = batches(200, order())
    assert straight[170:175] == batches(5, order(), first_batch=170)
    assert straight[150:160] == batches(10, order(), first_batch=150)  # an epoch has 156 batches


@pytest.mark.parametrize("num_processes", [2, 4, 8])
def test_processes_share_a_batch_and_read_different_blocks(num_processes: int) -> None:
    whole = batches(20, order())
    shares = [batches(20, order(), rank=r, num_processes=num_processes) for r in range(num_processes)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert [draw for part in parts for draw in part] == batch
        ahead = [clip for part in parts for clip in part.ahead]
        assert sorted(ahead) == batch.ahead  # no clip is read ahead by two


def test_what_a_batch_needs_was_read_ahead_once() -> None:
    """In an epoch, wherever it begins; and about equally much for every batch."""
    for first in (0, 50):
        some = batches(156 - first, order(), first_batch=first)
        known: set[int] = set()
        for batch in some:
            assert known.isdisjoint(batch.ahead)
            known |= set(batch.ahead)
            assert {draw.clip for draw in batch} <= known
    sizes = [len(batch.ahead) for batch in batches(156, order())]
    assert max(sizes[1:]) <= 4 * 64


def test_read_ahead_clips_lie_side_by_side() -> None:
    """A stretch of 128 clips is 4 blocks and parts of blocks at its ends: at most 6 runs."""
    for batch in batches(100, order())[1:]:
        num_runs = 1 + int((np.diff(batch.ahead) > 1).sum()) if batch.ahead else 0
        assert num_runs <= 6 * max(1, round(len(batch.ahead) / 128))


def test_how_random_it_is() -> None:
    """Of pairs of neighbours in a batch, some are from one block; in a random order nearly none are.

    64 places are 16 lanes of 4 clips. A lane chooses among 4 blocks of 32, so 3 of 4 pairs of neighbours are
    of one lane, and of those about a quarter are of one block.
    """

    def near(clips_N: np.ndarray) -> float:
        rows = clips_N[: 156 * 64].reshape(156, 64)
        return float((np.abs(np.diff(rows, axis=1)) < 32).mean())

    in_blocks = np.mean([near(order().clips(epoch)) for epoch in range(3)])
    at_random = np.mean([near(np.random.default_rng(e).permutation(10_000)) for e in range(3)])
    assert at_random == pytest.approx(64 / 10_000, rel=0.5)
    assert in_blocks == pytest.approx(0.75 * 0.25, rel=0.2)


def test_all_places_of_an_epoch_are_alike() -> None:
    """A clip may come at any time: over epochs its mean place is the middle, all quarters are as likely."""
    places = np.stack([np.argsort(order(1024, batch_size=16).clips(epoch)) for epoch in range(200)])
    assert abs(places.mean(0) - 511.5).max() < 5 * 1024 / np.sqrt(12 * 200)
    assert np.bincount(places[:, 0] // 256, minlength=4) == pytest.approx([50] * 4, abs=25)


def test_blocks_move_from_epoch_to_epoch() -> None:
    """Two neighbours of the list are in one block of four in three of four epochs.

    A lane gives one clip of each batch of 16, so clips of one block are less than 4 batches apart.
    """
    found = order(1024, batch_size=16, block_clips=4, buffer_clips=16)
    places = [np.argsort(found.clips(epoch)) for epoch in range(60)]
    assert 35 < sum(abs(int(place[3]) - int(place[4])) < 4 * 16 for place in places) < 55


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"num_clips=8, .* got batch_size=9"):
        order(8, batch_size=9)
    with pytest.raises(ValueError, match="block_clips=0"):
        order(block_clips=0)


def test_reading_ahead_changes_nothing(clips: PreparedDataset) -> None:
    before = clips.read_frame(2, 1).tolist()
    clips.read_ahead_clips(range(len(clips)))
    clips.read_ahead_clips([])
    clips.read_ahead_pairs([(2, 1), (0, 3)], [Span(start=0, stop=98), Span(start=5, stop=5)])
    assert clips.read_frame(2, 1).tolist() == before


def test_advice_beyond_a_file_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    reader = RangeReader(tmp_path)
    reader.read_ahead("a", offset=-5, length=1 << 40)
    assert reader.read("a", offset=0, length=3) == b"abc"


def test_draws_are_those_of_any_order() -> None:
    assert batches(1, order())[0][0] == Draw(0, int(order().clips(0)[0]))

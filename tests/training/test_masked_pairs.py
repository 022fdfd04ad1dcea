"""Masks travel with their pairs: the same for any reader, any number of processes, and after resuming."""

import hashlib
import pickle
from itertools import islice

import pytest
import torch

from cavmae_sync.data import ClipOrder, ClipSampler, Draw, PairDataset, PreparedDataset, make_loader
from cavmae_sync.data.draws import Purpose
from cavmae_sync.model import Mask, MaskingConfig
from cavmae_sync.training import MaskedBatch, MaskedPairs, MaskSampler

from .tiny import TINY_MODEL

#: Of what the code before `MaskedPairs` drew, in the training process: clips, frames and kept patches of
#: batches 2 to 5. Whole numbers alone, so that every machine gives them.
PINNED = "804792eebde1cbf1"


@pytest.fixture
def masked(prepared: PreparedDataset) -> MaskedPairs:
    masks = MaskSampler(TINY_MODEL, MaskingConfig(contrastive_mask_ratio=0.5), seed=3, purpose=Purpose.MASK)
    return MaskedPairs(PairDataset(prepared, inputs=TINY_MODEL.inputs, seed=3), masks)


def batches(masked: MaskedPairs, num_workers: int = 0, **share: int) -> list[MaskedBatch]:
    """Batches 2 to 5 of four clips: the end of an epoch is among them."""
    sampler = ClipSampler(
        ClipOrder(len(masked), seed=3), **{"batch_size": 4, "first_batch": 2, "stop_batch": 6} | share
    )
    return list(make_loader(masked, sampler=sampler, num_workers=num_workers))


def masks_of(batch: MaskedBatch) -> list[Mask]:
    second = batch.masks.contrastive
    every = [batch.masks.audio, batch.masks.visual, second and second.audio, second and second.visual]
    return [mask for mask in every if isinstance(mask, Mask)]


def tensors(batch: MaskedBatch) -> list[torch.Tensor]:
    pairs = batch.pairs
    own = [pairs.row_B, pairs.frame_index_P, pairs.frames_PHWC, pairs.segments_PLM]
    return own + [part for mask in masks_of(batch) for part in (mask.keep_PK, mask.hidden_PN)]


def assert_equal(left: MaskedBatch, right: MaskedBatch) -> None:
    for one, other in zip(tensors(left), tensors(right), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_what_a_run_reads_and_draws_is_pinned(masked: MaskedPairs, num_workers: int) -> None:
    """A change here changes every run that is resumed across it."""
    digest = hashlib.sha256()
    for batch in batches(masked, num_workers):
        for values in (batch.pairs.row_B, batch.pairs.frame_index_P, *(m.keep_PK for m in masks_of(batch))):
            digest.update(values.contiguous().numpy().tobytes())
    assert digest.hexdigest()[:16] == PINNED


def test_a_mask_follows_from_the_step_and_the_place(masked: MaskedPairs) -> None:
    for step, batch in enumerate(batches(masked), start=2):
        expected = masked.masks.draw([Draw(step, place) for place in range(4)], step=step)
        assert torch.equal(batch.masks.audio.keep_PK, expected.audio.keep_PK)
        assert torch.equal(batch.masks.visual.hidden_PN, expected.visual.hidden_PN)


def test_every_moment_of_a_clip_has_a_mask_of_its_own(prepared: PreparedDataset) -> None:
    masks = MaskSampler(TINY_MODEL, MaskingConfig(), seed=3, purpose=Purpose.MASK)
    pairs = PairDataset(prepared, inputs=TINY_MODEL.inputs, seed=3, moments_per_clip=2)
    several = MaskedPairs(pairs, masks)
    for step, batch in enumerate(batches(several), start=2):
        assert len(batch) == 8
        expected = masks.draw([Draw(step, place) for place in range(8)], step=step)
        assert torch.equal(batch.masks.audio.keep_PK, expected.audio.keep_PK)
    shares = [batches(several, rank=rank, num_processes=2) for rank in range(2)]
    for whole, *parts in zip(batches(several), *shares, strict=True):
        for one, of_parts in zip(tensors(whole), zip(*map(tensors, parts), strict=True), strict=True):
            assert torch.equal(one, torch.cat(of_parts))


def test_processes_that_read_change_nothing(masked: MaskedPairs) -> None:
    for left, right in zip(batches(masked), batches(masked, 2), strict=True):
        assert_equal(left, right)


@pytest.mark.parametrize("num_processes", [2, 4])
def test_the_shares_of_processes_are_the_batch_of_one(masked: MaskedPairs, num_processes: int) -> None:
    shares = [batches(masked, rank=rank, num_processes=num_processes) for rank in range(num_processes)]
    for whole, *parts in zip(batches(masked), *shares, strict=True):
        for one, of_parts in zip(tensors(whole), zip(*map(tensors, parts), strict=True), strict=True):
            assert torch.equal(one, torch.cat(of_parts))


def test_a_resumed_run_draws_the_same(masked: MaskedPairs) -> None:
    straight = islice(batches(masked), 2, None)
    for left, right in zip(straight, batches(masked, first_batch=4), strict=True):
        assert_equal(left, right)


def test_a_mask_arrives_whole_in_another_process(masked: MaskedPairs) -> None:
    batch = batches(masked)[0]
    again = pickle.loads(pickle.dumps(batch))
    assert_equal(again, batch)
    again.masks.audio.keep_PK[0] = 0  # as writable as any tensor
    assert len(pickle.dumps(batch.masks.audio)) < 2000  # arrays, not files of shared memory

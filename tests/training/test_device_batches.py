"""Batches come to a device in order and whole, one ahead. `meta` is a device that keeps no numbers.

That the numbers arrive is tested by tests/devices, where a whole training runs on a far device.
"""

from collections.abc import Iterator
from itertools import islice

import pytest
import torch

from cavmae_sync.data import ClipOrder, ClipSampler, PairDataset, PreparedDataset, make_loader
from cavmae_sync.data.draws import Purpose
from cavmae_sync.errors import DatasetError
from cavmae_sync.model import MaskingConfig
from cavmae_sync.training import MaskedBatch, MaskedPairs, MaskSampler
from cavmae_sync.training.device_batches import on_device

from .tiny import TINY_MODEL

META = torch.device("meta")


@pytest.fixture
def batches(prepared: PreparedDataset) -> list[MaskedBatch]:
    masks = MaskSampler(TINY_MODEL, MaskingConfig(contrastive_mask_ratio=0.5), seed=0, purpose=Purpose.MASK)
    pairs = MaskedPairs(PairDataset(prepared, inputs=TINY_MODEL.inputs), masks)
    sampler = ClipSampler(ClipOrder(len(pairs), seed=0), batch_size=2, stop_batch=5)
    return list(make_loader(pairs, sampler=sampler))


def reading(batches: list[MaskedBatch], read: list[int]) -> Iterator[MaskedBatch]:
    for number, batch in enumerate(batches):
        read.append(number)
        yield batch


def test_on_the_cpu_batches_are_passed_on(batches: list[MaskedBatch]) -> None:
    read: list[int] = []
    moved = on_device(reading(batches, read), torch.device("cpu"))
    assert next(moved) is batches[0]
    assert read == [0]
    assert [id(batch) for batch in moved] == [id(batch) for batch in batches[1:]]


def test_every_batch_comes_once_and_in_order(batches: list[MaskedBatch]) -> None:
    moved = list(on_device(batches, META))
    assert [b.pairs.clip_ids for b in moved] == [b.pairs.clip_ids for b in batches]
    assert list(on_device([], META)) == []


def test_every_tensor_is_moved(batches: list[MaskedBatch]) -> None:
    devices: list[str] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        devices.append(tensor.device.type)
        return tensor

    next(on_device(batches, META)).each(note)
    assert devices == ["meta"] * 13  # five of the pairs, two of each of four masks


def test_one_batch_is_read_ahead_and_no_more(batches: list[MaskedBatch]) -> None:
    read: list[int] = []
    seen = [list(read) for _ in islice(on_device(reading(batches, read), META), 3)]
    assert seen == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]


def test_an_error_in_reading_comes_one_batch_early(batches: list[MaskedBatch]) -> None:
    def fails() -> Iterator[MaskedBatch]:
        yield from batches[:2]
        raise DatasetError("a shard is missing")

    moved = on_device(fails(), META)
    assert next(moved).pairs.clip_ids == batches[0].pairs.clip_ids
    with pytest.raises(DatasetError, match="a shard is missing"):
        next(moved)


def test_a_caller_that_stops_ends_the_reading(batches: list[MaskedBatch]) -> None:
    ended: list[bool] = []

    def told() -> Iterator[MaskedBatch]:
        try:
            yield from batches
        finally:
            ended.append(True)

    moved = on_device(told(), META)
    next(moved)
    del moved
    assert ended == [True]

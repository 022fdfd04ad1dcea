"""Batches of training read at the published size and thrown away: what readers give without a model."""

import itertools
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import footage
from benchmarks.part import Limit, Part, Setting, Variant, Work
from cavmae_sync.data import BatchDraws, Draw, PairDataset, make_loader
from cavmae_sync.data.draws import Purpose
from cavmae_sync.training import MaskedPairs, MaskSampler, PretrainConfig

#: Pairs of one accelerator in a step.
_BATCH = 64
#: Eight cores give 3,000 items a second to one accelerator.
_ITEMS_PER_SECOND = 375


def _pairs(setting: Setting) -> MaskedPairs:
    config = PretrainConfig()
    return MaskedPairs(
        PairDataset(footage.prepared_videos(setting), inputs=config.model.inputs),
        MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK),
    )


def _draws(num_clips: int) -> Iterator[BatchDraws]:
    """Batches without end, of a few clips again and again with other frames."""
    for batch in itertools.count():
        draws = (Draw(batch * _BATCH + place, place % num_clips) for place in range(_BATCH))
        yield BatchDraws(draws, batch=batch, first_place=0)


def one_by_one(setting: Setting) -> Work:
    """Each pair read alone, normalised where it is read, its mask drawn alone: as before readers did more."""
    pairs = _pairs(setting)
    draws = next(_draws(len(pairs)))

    def repeat() -> None:
        for place, draw in enumerate(draws):
            pairs.pairs[draw].normalized_frames()
            pairs.masks.draw([Draw(0, place)])

    return Work(repeat=repeat, units=_BATCH)


def read(setting: Setting, *, num_workers: int) -> Work:
    """Batches of `make_loader`, thrown away; with workers each is received whole."""
    pairs = _pairs(setting)
    batches = iter(make_loader(pairs, sampler=_draws(len(pairs)), num_workers=num_workers))
    num_batches = setting.pick(16, 2)

    def repeat() -> dict[str, float]:
        began = time.perf_counter()
        for batch in itertools.islice(batches, num_batches):
            batch.pairs.frames_PHWC[0, 0, 0, 0].item()
        rate = num_batches * _BATCH / (time.perf_counter() - began)
        return {"items per second": rate, "milliseconds per item": 1000 / rate}

    return Work(repeat=repeat, units=num_batches * _BATCH, warm_up=lambda: [next(batches) for _ in range(4)])


def _prepared(setting: Setting) -> None:
    footage.prepared_videos(setting)


READERS = Part(
    name="readers",
    title="training items of the published size (224 pixels, 4.16 s, masks) read and thrown away",
    unit="item",
    rounds=5,
    prepare=_prepared,
    variants=(
        Variant(name="one by one", make=one_by_one, is_set_up=True),
        Variant(name="in one process", make=partial(read, num_workers=0), is_set_up=True),
        Variant(name="1 reader", make=partial(read, num_workers=1), is_set_up=True),
        Variant(name="2 readers", make=partial(read, num_workers=2), is_set_up=True),
    ),
    limits=(
        Limit(
            variant="1 reader",
            number="milliseconds per item",
            most=1000 / _ITEMS_PER_SECOND,
            says="milliseconds of an item, one reader",
        ),
    ),
    note="Files are in the page cache. Eight readers that give 375 items a second each serve 3,000.",
)

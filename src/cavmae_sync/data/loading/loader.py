"""Loaders: batches of a dataset, with the right settings for worker processes."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader

from cavmae_sync.compute import keep_freed_memory
from cavmae_sync.data.draws import Draw
from cavmae_sync.data.loading.batch import Batch, concatenate
from cavmae_sync.data.loading.datasets import ClipDataset, PairDataset
from cavmae_sync.work.workers import follow_parent


def make_loader(
    dataset: PairDataset | ClipDataset,
    *,
    batch_size: int | None = None,
    sampler: Iterable[list[Draw]] | None = None,
    num_workers: int = 0,
) -> DataLoader[Batch]:
    """Loader of batches. Their content does not depend on the number of workers.

    Args:
        dataset: Dataset whose items are batches of one clip.
        batch_size: Clips per batch, in the order of the dataset; the last batch may be smaller.
        sampler: Batches of draws, such as `ClipSampler`. Give either this or `batch_size`.
        num_workers: Processes that read ahead; 0 reads in this one. Workers live as long as the loader.

    Raises:
        ValueError: Both or none of `batch_size` and `sampler`.
    """
    batches: Iterable[list[Any]]
    if batch_size is not None and sampler is None:
        batches = BatchSampler(range(len(dataset)), batch_size, drop_last=False)
    elif batch_size is None and sampler is not None:
        batches = sampler
    else:
        raise ValueError("give either batch_size (in order) or sampler (as drawn), not both or none")
    # Not forked from this process: a fork copies locks that threads of torch and pyarrow may hold.
    workers: dict[str, Any] = {}
    if num_workers:
        workers = {
            "multiprocessing_context": "forkserver",
            "persistent_workers": True,
            "prefetch_factor": 2,
            "worker_init_fn": _start_worker,
        }
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_joined,
        num_workers=num_workers,
        generator=torch.Generator(),  # without it, every epoch draws a seed from the global generator
        pin_memory=torch.cuda.is_available(),
        **workers,
    )


def _joined(fetched: Batch | list[Batch]) -> Batch:
    """One batch: datasets with `__getitems__` return a whole batch, others one for each clip."""
    return fetched if isinstance(fetched, Batch) else concatenate(fetched)


def _start_worker(_worker: int) -> None:
    follow_parent()
    keep_freed_memory()  # a batch is a few large blocks of memory, allocated and freed again and again

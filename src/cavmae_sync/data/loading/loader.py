"""Loaders: batches of a dataset, with the right settings for worker processes."""

from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from cavmae_sync.compute import keep_freed_memory
from cavmae_sync.data.draws import Draw
from cavmae_sync.data.loading.batch import concatenate
from cavmae_sync.work.workers import follow_parent, worker_context

BatchT = TypeVar("BatchT")


def make_loader(
    dataset: Dataset[BatchT],
    *,
    batch_size: int | None = None,
    sampler: Iterable[list[Draw]] | None = None,
    num_workers: int = 0,
    device: torch.device | None = None,
) -> DataLoader[BatchT]:
    """Loader of batches. Their content does not depend on the number of workers.

    Args:
        dataset: Dataset whose items are batches of one clip, or that makes whole batches
            (`__getitems__`).
        batch_size: Clips per batch, in the order of the dataset; the last batch may be smaller.
        sampler: Batches of draws, such as `ClipSampler`. Give either this or `batch_size`.
        num_workers: Processes that read ahead; 0 reads in this one. Workers live as long as the loader.
        device: Where batches will be moved. For CUDA they are put into pinned memory, from which they are
            copied without waiting.

    Raises:
        ValueError: Both or none of `batch_size` and `sampler`.
    """
    if (batch_size is None) == (sampler is None):
        raise ValueError("give either batch_size (in order) or sampler (as drawn), not both or none")
    options: dict[str, Any] = {"batch_size": batch_size} if sampler is None else {"batch_sampler": sampler}
    if num_workers:
        options |= {
            "multiprocessing_context": worker_context(),
            "persistent_workers": True,
            "prefetch_factor": 2,
            "worker_init_fn": _start_worker,
        }
    return DataLoader(
        dataset,
        collate_fn=_joined,
        num_workers=num_workers,
        generator=torch.Generator(),  # without it, every epoch draws a seed from the global generator
        pin_memory=device is not None and device.type == "cuda",
        **options,
    )


def _joined(fetched: Any) -> Any:
    """One batch: datasets with `__getitems__` return a whole batch, others one for each clip."""
    return concatenate(fetched) if isinstance(fetched, list) else fetched


def _start_worker(_worker: int) -> None:
    follow_parent()
    keep_freed_memory()  # a batch is a few large blocks of memory, allocated and freed again and again

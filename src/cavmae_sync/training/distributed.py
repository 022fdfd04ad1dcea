"""Several processes as one: the only file that imports `torch.distributed`.

P rows of this process, G rows of all, D width.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cavmae_sync.compute import choose_device
from cavmae_sync.errors import TrainingError
from cavmae_sync.losses import Gathered


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """This process among all: `rank` of `num_processes`, computing on `device`."""

    rank: int
    num_processes: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def gather(self, rows_PD: Tensor) -> Gathered:
        """Rows of all processes, with gradients to all."""
        if self.num_processes == 1:
            return Gathered(rows_GD=rows_PD, offset=0)
        return Gathered(rows_GD=_GatherRows.apply(rows_PD), offset=self.rank * len(rows_PD))

    def wrap(self, module: nn.Module, *, has_unused_parameters: bool = False) -> nn.Module:
        """`module` with gradients averaged over all processes.

        Args:
            module: What runs in every process.
            has_unused_parameters: Whether some parameters take no part in the loss.
        """
        if self.num_processes == 1:
            return module
        return DistributedDataParallel(module, find_unused_parameters=has_unused_parameters)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of `values` over all processes, on the device where they are."""
        if self.num_processes == 1:
            return values
        total = values.to(self.device, copy=True)
        dist.all_reduce(total)
        return total.to(values.device) / self.num_processes

    def any(self, fact: bool) -> bool:  # noqa: FBT001 (a fact, not a mode)
        """Whether the fact holds in any process."""
        if self.num_processes == 1:
            return fact
        flag = torch.tensor(int(fact), device=self.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)

    def wait(self) -> None:
        """Wait for all processes."""
        if self.num_processes > 1:
            dist.barrier()


class _GatherRows(torch.autograd.Function):
    """All rows forwards; backwards every process gets the sum of what all ask of its rows."""

    @staticmethod
    def forward(ctx: Any, rows_PD: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]
        parts = [torch.empty_like(rows_PD) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows_PD.contiguous())
        ctx.num_rows = len(rows_PD)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad_GD: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]
        total = grad_GD.contiguous().clone()
        dist.all_reduce(total)
        first = dist.get_rank() * ctx.num_rows
        return total[first : first + ctx.num_rows]


#: The others wait while the main process validates, which may take longer than the default ten minutes.
_LONGEST_WAIT = timedelta(hours=6)


@contextmanager
def open_world(device: str | None = None) -> Iterator[World]:
    """The processes that `torchrun` started, or this one alone.

    Args:
        device: "cpu", "cuda" or "mps"; None takes the best there is.

    Raises:
        TrainingError: The device is unknown, or there are fewer than processes.
        ConfigError: This machine has no such device.
    """
    kind = _kind_of(device)
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local_rank = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise TrainingError(
                f"process {local_rank} needs its own CUDA device, there are {torch.cuda.device_count()}. "
                "Start fewer processes, or use --device cpu."
            )
        torch.cuda.set_device(local_rank)
    place = torch.device(kind, local_rank) if kind == "cuda" else torch.device(kind)
    if num_processes == 1:
        yield World(rank=0, num_processes=1, device=place)
        return
    dist.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        store=_fresh_store(rank, num_processes),
        rank=rank,
        world_size=num_processes,
        timeout=_LONGEST_WAIT,
    )
    try:
        yield World(rank=rank, num_processes=num_processes, device=place)
    finally:
        dist.destroy_process_group()


def _kind_of(device: str | None) -> str:
    known = ("cpu", "cuda", "mps")
    if device is not None and device not in known:
        raise TrainingError(
            f"there is no device {device!r}; use one of {', '.join(known)}. Which CUDA devices are used is "
            "set with CUDA_VISIBLE_DEVICES."
        )
    return choose_device(device).type


def _fresh_store(rank: int, num_processes: int) -> dist.Store:
    """A part of torchrun's store that no earlier world of these processes used.

    The store outlives a world: a second one would find the addresses of the first and wait for ever.
    """
    store, _, _ = next(dist.rendezvous("env://", rank, num_processes, timeout=_LONGEST_WAIT))
    opened = (store.add("cavmae_sync/opened", 1) - 1) // num_processes
    return dist.PrefixStore(f"cavmae_sync/world{opened}", store)

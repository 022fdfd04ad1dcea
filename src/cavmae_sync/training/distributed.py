"""Several processes as one: with `sharding`, the only file that imports `torch.distributed`.

The main process alone reads and writes the folder of a run, and sends the others what they need of it. So the
folder need not be shared between machines; a dataset must lie under the same path on each.

P rows of this process, G rows of all, D width.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_leaves

from cavmae_sync.choices import GradientSync, Parallel
from cavmae_sync.compute import choose_device
from cavmae_sync.errors import TrainingError
from cavmae_sync.losses import Gathered

T = TypeVar("T")

#: Longest wait of the others while the main process evaluates, draws or saves.
_LONGEST_WAIT = timedelta(hours=6)
#: Longest wait for each other within a step. After it, a process that hangs ends the run.
_LONGEST_STEP = timedelta(minutes=30)

# torch 2.13 renamed these and warns of the old names; 2.9 has only those.
_all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
_reduce_scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
# So is the word for "send no buffers": those of the model are constants.
_is_renamed = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
_KEEPS_BUFFERS: dict[str, Any] = {"forward_sync_buffers" if _is_renamed else "broadcast_buffers": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Place of this process among all.

    Attributes:
        rank: Number of this process; 0 is the main one.
        num_processes: Processes on all machines.
        device: Where this process computes.
        store: torch's store of keys and values that all processes share; None for a single process.
    """

    rank: int
    num_processes: int
    device: torch.device
    store: dist.Store | None = None

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def gather(self, rows_PD: Tensor) -> Gathered:
        """Rows of all processes, with gradients to all."""
        if self.num_processes == 1:
            return Gathered(rows_GD=rows_PD, offset=0)
        rows_GD = cast("Tensor", _GatherRows.apply(rows_PD))
        return Gathered(rows_GD=rows_GD, offset=self.rank * len(rows_PD))

    def wrap(
        self,
        module: nn.Module,
        *,
        has_unused_parameters: bool = False,
        is_accumulated: bool = False,
        gradient_sync: GradientSync = "float32",
        parallel: Parallel = "ddp",
    ) -> nn.Module:
        """Wrap a module: it takes the main process's weights, and gradients are averaged over all processes.

        Args:
            module: Module that every process runs. Its outputs are tensors, or tuples of them: in a dataclass
                torch finds none, and would leave the first step's gradients apart without a word.
            has_unused_parameters: Whether some parameters take no part in the loss.
            is_accumulated: Whether several backward passes make a step (`without_sync`).
            gradient_sync: Type in which gradients are sent and summed.
            parallel: Whether every process has all parameters, or a part of them.
        """
        if self.num_processes == 1:
            return module
        if parallel == "fsdp":
            from cavmae_sync.training.sharding import share_out

            return share_out(
                module, device=self.device, num_processes=self.num_processes, gradient_sync=gradient_sync
            )
        wrapped = DistributedDataParallel(
            module,
            find_unused_parameters=has_unused_parameters,
            gradient_as_bucket_view=True,
            # torch learns the order of gradients from the first backward pass, which must be a whole step.
            static_graph=not has_unused_parameters and not is_accumulated,
            **_KEEPS_BUFFERS,
        )
        if gradient_sync == "bfloat16":
            wrapped.register_comm_hook(None, _sum_in_bfloat16)
        return wrapped

    def without_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """Gradients of a wrapped module stay in this process inside the block, and are summed there."""
        if hasattr(module, "set_requires_gradient_sync"):
            from cavmae_sync.training.sharding import gradients_kept

            return gradients_kept(module)
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()

    def whole(self, values: T) -> T:
        """Nested values with whole tensors, on the CPU, where they are shared out; all call it together."""
        if not any(hasattr(leaf, "full_tensor") for leaf in tree_leaves(values)):
            return values
        from cavmae_sync.training.sharding import whole_tensors

        return whole_tensors(values)

    def parts(self, whole: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole tensors, which every process has, shared out as those of the same names are."""
        if not any(hasattr(tensor, "full_tensor") for tensor in like.values()):
            return dict(whole)
        from cavmae_sync.training.sharding import shared_out

        return shared_out(whole, like)

    def sum(self, values: Tensor) -> Tensor:
        """Sum of `values` over all processes, on the device where they are."""
        if self.num_processes == 1:
            return values
        total = values.to(self.device, copy=True)
        dist.all_reduce(total)
        return total.to(values.device)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of `values` over all processes, on the device where they are."""
        return self.sum(values) / self.num_processes

    def any(self, fact: bool) -> bool:  # noqa: FBT001 (a fact, not a mode)
        """Whether the fact holds in any process."""
        if self.num_processes == 1:
            return fact
        return bool(self.sum(torch.tensor(int(fact), device=self.device)))

    def from_main(self, make: Callable[[], T]) -> T:
        """Call `make` in the main process and give its result to every process.

        Args:
            make: Its result can be pickled; tensors in dictionaries and lists are sent one by one.

        Raises:
            TrainingError: In the other processes, where the main one met an error.
        """
        if self.num_processes == 1:
            return make()
        tensors: list[Tensor] = []
        sent: list[Any] = [None, None]
        if self.is_main:
            try:
                sent[0] = _without_tensors(make(), tensors)
            except Exception as error:  # of any kind: the others wait for an answer
                dist.broadcast_object_list([None, str(error)], device=self.device)
                raise
        dist.broadcast_object_list(sent, device=self.device)
        value, error = sent
        if error is not None:
            raise TrainingError(f"The main process stopped: {error}")
        return _with_tensors(value, iter(tensors), self)

    def check_same(self, facts: Mapping[str, object]) -> None:
        """Refuse processes that were started for different runs.

        Args:
            facts: Values by name that must be equal in all processes.

        Raises:
            TrainingError: In every process; names the first one that differs, and in what.
        """
        if self.num_processes == 1:
            return
        found: list[Any] = [None] * self.num_processes
        dist.all_gather_object(found, dict(facts))
        for rank, theirs in enumerate(found):
            for name in sorted(found[0].keys() | theirs.keys()):
                ours, other = found[0].get(name), theirs.get(name)
                if ours != other:
                    raise TrainingError(
                        f"process {rank} has {name}={other}, process 0 has {ours}. Start all processes with "
                        "the same words, datasets and versions."
                    )

    def wait(self) -> None:
        """Wait for all processes, hours if need be; the device is idle meanwhile."""
        if self.store is None:
            return
        # Not `dist.barrier`: it has the timeout of a step, and keeps the device busy.
        turn, place = divmod(self.store.add("waiting", 1) - 1, self.num_processes)
        if place == self.num_processes - 1:
            self.store.set(f"all came {turn}", "yes")
        self.store.wait([f"all came {turn}"], _LONGEST_WAIT)


def _sum_in_bfloat16(state: Any, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    """Hook of torch under a name of ours: by its own name torch refuses it on the CPU, where it works."""
    return bf16_compress_hook(state, bucket)


class _GatherRows(torch.autograd.Function):
    """All rows forwards; backwards, the sum over all processes of the gradients of this process's rows.

    A gather of torch without gradients would lose what the candidates of other processes contribute.
    """

    @staticmethod
    def forward(_: Any, rows_PD: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]
        rows_GD = rows_PD.new_empty(dist.get_world_size() * len(rows_PD), *rows_PD.shape[1:])
        _all_gather(rows_GD, rows_PD.contiguous())
        return rows_GD

    @staticmethod
    def backward(_: Any, grad_GD: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]
        # DistributedDataParallel divides by the number of processes afterwards, so a sum is right here.
        grad_PD = grad_GD.new_empty(len(grad_GD) // dist.get_world_size(), *grad_GD.shape[1:])
        _reduce_scatter(grad_PD, grad_GD.contiguous())
        return grad_PD


@dataclass(frozen=True, slots=True)
class _TensorStub:
    """Shape and type of a tensor that is sent by itself."""

    shape: torch.Size
    dtype: torch.dtype


def _without_tensors(value: Any, tensors: list[Tensor]) -> Any:
    """`value` with stubs instead of tensors, which are added to `tensors`."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return _TensorStub(value.shape, value.dtype)
    if isinstance(value, dict):
        return {key: _without_tensors(part, tensors) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_tensors(part, tensors) for part in value]
    return value


def _with_tensors(value: Any, tensors: Iterator[Tensor], world: World) -> Any:
    """Inverse of `_without_tensors`; tensors come from the main process, on the CPU."""
    if isinstance(value, _TensorStub):
        if world.is_main:
            tensor = next(tensors)
            dist.broadcast(tensor.to(world.device).contiguous(), src=0)
            return tensor
        tensor = torch.empty(value.shape, dtype=value.dtype, device=world.device)
        dist.broadcast(tensor, src=0)
        return tensor.cpu()
    if isinstance(value, dict):
        return {key: _with_tensors(part, tensors, world) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_tensors(part, tensors, world) for part in value]
    return value


def num_local_processes() -> int:
    """Processes that `torchrun` started on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@contextmanager
def open_world(device: str | None = None) -> Iterator[World]:
    """Join the processes that `torchrun` started, or be the only one.

    Args:
        device: "cpu", "cuda" or "mps"; None takes the best there is.

    Raises:
        TrainingError: The device is unknown, or there are fewer than processes.
        ConfigError: This machine has no such device.
    """
    kind = _device_type(device)
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local_rank = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    place = _device_of_process(kind, local_rank, num_processes)
    if num_processes == 1:
        yield World(rank=0, num_processes=1, device=place)
        return
    store = _fresh_store(rank, num_processes)
    dist.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        store=dist.PrefixStore("group", store),
        rank=rank,
        world_size=num_processes,
        timeout=_LONGEST_STEP,
        device_id=place if kind == "cuda" else None,
    )
    try:
        yield World(rank=rank, num_processes=num_processes, device=place, store=store)
    finally:
        dist.destroy_process_group()


def _device_type(device: str | None) -> str:
    known = ("cpu", "cuda", "mps")
    if device is not None and device not in known:
        raise TrainingError(
            f"there is no device {device!r}; use one of {', '.join(known)}. Which CUDA devices are used is "
            "set with CUDA_VISIBLE_DEVICES."
        )
    return choose_device(device).type


def _device_of_process(kind: str, local_rank: int, num_processes: int) -> torch.device:
    if kind == "mps" and num_processes > 1:
        raise TrainingError(
            f"{num_processes} processes cannot share the one Apple device. Start one, or use --device cpu."
        )
    if kind != "cuda":
        return torch.device(kind)
    if local_rank >= torch.cuda.device_count():
        raise TrainingError(
            f"process {local_rank} needs its own CUDA device, there are {torch.cuda.device_count()}. "
            "Start fewer processes, or use --device cpu."
        )
    torch.cuda.set_device(local_rank)
    return torch.device(kind, local_rank)


def _fresh_store(rank: int, num_processes: int) -> dist.Store:
    """Part of torchrun's store that no earlier world of these processes used.

    The store outlives a world. A second one would find the addresses of the first and wait forever.
    """
    store, _, _ = next(dist.rendezvous("env://", rank, num_processes, timeout=_LONGEST_STEP))
    opened = (store.add("cavmae_sync/opened", 1) - 1) // num_processes
    return dist.PrefixStore(f"cavmae_sync/world{opened}", store)

"""Parameters, gradients and states of the optimiser shared out over processes (FSDP2).

Each process keeps a part of every parameter. A block is put together when it is computed, and its gradients
are summed part by part. Files hold whole tensors: `whole_tensors` makes them, `shared_out` undoes it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map

from cavmae_sync.choices import GradientSync
from cavmae_sync.model.block import Block


def share_out(
    module: nn.Module, *, device: torch.device, num_processes: int, gradient_sync: GradientSync
) -> nn.Module:
    """Share out the parameters of a module, which all processes take from the main one, block by block.

    Args:
        module: Module on its device; changed in place. Its methods `embed` and `forward` compute.
        device: Where it is.
        num_processes: Processes that share it.
        gradient_sync: Type in which gradients are sent and summed.
    """
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor, src=0)
    mesh = init_device_mesh(device.type, (num_processes,))
    policy = MixedPrecisionPolicy(reduce_dtype=torch.bfloat16 if gradient_sync == "bfloat16" else None)
    for part in [part for part in module.modules() if isinstance(part, Block)]:
        fully_shard(part, mesh=mesh, mp_policy=policy)
    fully_shard(module, mesh=mesh, mp_policy=policy)
    register_fsdp_forward_method(module, "embed")
    return module


@contextmanager
def gradients_kept(module: nn.Module) -> Iterator[None]:
    """Gradients of backward passes inside the block are summed in this process, and sent by a later one."""
    assert isinstance(module, FSDPModule)
    module.set_requires_gradient_sync(requires_gradient_sync=False)
    try:
        yield
    finally:
        module.set_requires_gradient_sync(requires_gradient_sync=True)


def whole_tensors(values: Any) -> Any:
    """Nested values with whole tensors on the CPU where they are shared out; all processes call it together.

    A device holds one whole tensor at a time: a model that is shared out may not fit on it.
    """
    return tree_map(_whole, values)


def shared_out(values: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors, which every process has, shared out as those of the same names."""
    return {name: _as(value, like[name]) for name, value in values.items()}


def _whole(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


def _as(value: Tensor, like: Tensor) -> Tensor:
    if not isinstance(like, DTensor):
        return value
    # Every process has the whole tensor, so none is sent.
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)

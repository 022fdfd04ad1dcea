"""Softmax attention, by the fastest kernel of the device.

B any batch, H heads, M queries, N keys, D width of a head.
"""

from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.compute.float32 import float32_setting

#: "fused" is torch's kernel, which never writes the attention weights to memory; "plain" is two batched
#: products and a softmax.
AttentionKernel = Literal["fused", "plain"]

#: Fewest keys from which the fused kernel pays on the CPU when gradients are computed through it.
_FUSED_WITH_GRADIENTS_FROM: Final = 128


def choose_attention(
    device_type: str, dtype: torch.dtype, *, num_keys: int, with_gradients: bool
) -> AttentionKernel:
    """Kernel that computes attention, from a table of measurements; no clock is read.

    | device | type | kernel | measured 2026, plain over fused |
    |---|---|---|---|
    | not the CPU | all | fused | - (flash attention of the device) |
    | CPU | half precisions | plain | Zen 5, bfloat16, a prototype: 0.55; a whole backward pass 0.73 |
    | CPU | float32 as "medium" (oneDNN) | plain | Zen 5: 0.9, since the fused kernel multiplies with MKL |
    | CPU | float32 as "highest" (MKL), no gradients | fused | Cascade Lake, 205 keys: 1.25 |
    | CPU | the same with gradients | fused from 128 keys | Cascade Lake: 1.6 at 404 keys, 0.83 at 57 |

    The last two ratios are of attention alone, on one thread. For a whole pass of ViT-B on two threads the
    ratio is 1.00 to 1.02, within the noise; the fused kernel needs 5 to 14 % less memory.

    Args:
        device_type: cpu, cuda or mps.
        dtype: Of queries, keys and values.
        num_keys: N.
        with_gradients: Whether there will be a backward pass.
    """
    if device_type != "cpu":
        return "fused"
    if dtype != torch.float32 or float32_setting() != "highest":
        return "plain"
    return "plain" if with_gradients and num_keys < _FUSED_WITH_GRADIENTS_FROM else "fused"


def attend(query_BHMD: Tensor, key_BHND: Tensor, value_BHND: Tensor) -> Tensor:
    """Softmax attention, `[B, H, M, D]`, by the kernel of `choose_attention`."""
    kernel = choose_attention(
        query_BHMD.device.type,
        query_BHMD.dtype,
        num_keys=key_BHND.shape[-2],
        with_gradients=torch.is_grad_enabled() and query_BHMD.requires_grad,
    )
    if kernel == "fused":
        return F.scaled_dot_product_attention(query_BHMD, key_BHND, value_BHND)
    scale = query_BHMD.shape[-1] ** -0.5
    scores = (query_BHMD * scale) @ key_BHND.transpose(-2, -1)
    # Half precisions have no fast softmax on the CPU: a training step in bfloat16 took 1.05 times as long.
    wide = torch.promote_types(scores.dtype, torch.float32)
    return scores.to(wide).softmax(dim=-1).to(value_BHND.dtype) @ value_BHND

"""Devices and arithmetic: a device and a wish in, a decision or a context out.

device          which device: CUDA, MPS or the CPU
precision       matrix products in float32, bfloat16 or float16, with gradients
int8            linear layers in 8 bits, without gradients
float32         how float32 products are computed: MKL or oneDNN, and whether that is still float32
arithmetic      all of it as one value, for passes without gradients
attention       softmax attention by the fastest kernel
allocator       memory that the C library keeps between steps
product_rate    how fast this machine multiplies
"""

from cavmae_sync.compute.allocator import keep_freed_memory
from cavmae_sync.compute.arithmetic import Arithmetic, inference_products_in
from cavmae_sync.compute.attention import AttentionKernel, attend, choose_attention
from cavmae_sync.compute.device import choose_device
from cavmae_sync.compute.float32 import (
    FLOAT32_ERROR_RATIO,
    Float32Choice,
    Float32Products,
    amd_family,
    choose_float32_products,
    current_float32_products,
    float32_error,
    float32_products_in,
    float32_setting,
    parse_float32_products,
    read_processor,
    resolve_float32_products,
)
from cavmae_sync.compute.int8 import Int8Products, int8_problem
from cavmae_sync.compute.precision import (
    check_precision_on,
    computes_bfloat16,
    loss_scaler,
    matrix_products_in,
    training_precision,
)
from cavmae_sync.compute.product_rate import product_rate, product_rates

__all__ = [
    "FLOAT32_ERROR_RATIO",
    "Arithmetic",
    "AttentionKernel",
    "Float32Choice",
    "Float32Products",
    "Int8Products",
    "amd_family",
    "attend",
    "check_precision_on",
    "choose_attention",
    "choose_device",
    "choose_float32_products",
    "computes_bfloat16",
    "current_float32_products",
    "float32_error",
    "float32_products_in",
    "float32_setting",
    "inference_products_in",
    "int8_problem",
    "keep_freed_memory",
    "loss_scaler",
    "matrix_products_in",
    "parse_float32_products",
    "product_rate",
    "product_rates",
    "read_processor",
    "resolve_float32_products",
    "training_precision",
]

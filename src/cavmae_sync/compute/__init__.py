"""Where and how arithmetic is done: device, precision, kernels, memory. One function for each choice."""

from cavmae_sync.compute.allocator import keep_freed_memory
from cavmae_sync.compute.attention import AttentionKernel, attend, choose_attention
from cavmae_sync.compute.device import choose_device
from cavmae_sync.compute.int8 import Int8Products, int8_problem
from cavmae_sync.compute.precision import (
    check_precision_on,
    float32_setting,
    loss_scaler,
    matrix_products_in,
    training_precision,
)
from cavmae_sync.compute.products import (
    FLOAT32_ERROR_RATIO,
    Float32Products,
    amd_family,
    choose_float32_products,
    current_float32_products,
    float32_error,
    float32_products_in,
    inference_products_in,
    product_rate,
    product_rates,
    read_processor,
)

__all__ = [
    "FLOAT32_ERROR_RATIO",
    "AttentionKernel",
    "Float32Products",
    "Int8Products",
    "amd_family",
    "attend",
    "check_precision_on",
    "choose_attention",
    "choose_device",
    "choose_float32_products",
    "current_float32_products",
    "float32_error",
    "float32_products_in",
    "float32_setting",
    "inference_products_in",
    "int8_problem",
    "keep_freed_memory",
    "loss_scaler",
    "matrix_products_in",
    "product_rate",
    "product_rates",
    "read_processor",
    "training_precision",
]

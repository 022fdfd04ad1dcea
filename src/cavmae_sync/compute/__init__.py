"""Where and how arithmetic is done: device, precision, kernels, memory. One function for each choice."""

from cavmae_sync.compute.allocator import keep_freed_memory
from cavmae_sync.compute.attention import attend
from cavmae_sync.compute.device import choose_device
from cavmae_sync.compute.precision import matrix_products_in

__all__ = ["attend", "choose_device", "keep_freed_memory", "matrix_products_in"]

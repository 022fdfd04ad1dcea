"""Device on which a model computes."""

import torch

from cavmae_sync.errors import ConfigError


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """Device of a name, of any kind that torch knows; without a name CUDA, else MPS, else the CPU.

    Raises:
        ConfigError: This machine has no such device.
    """
    if name is None:
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
        count = torch.get_device_module(device).device_count()
    except RuntimeError as error:
        raise ConfigError(f"there is no device {name!r}. Use cpu, cuda or mps.") from error
    if (device.index or 0) >= count:
        raise ConfigError(f"this machine has no device {str(name)!r}. Use cpu, or leave it out.")
    return device

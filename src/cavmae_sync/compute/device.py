"""Where a model computes."""

import torch

from cavmae_sync.errors import ConfigError


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """The device of that name; without a name CUDA, else MPS, else the CPU.

    Raises:
        ConfigError: This machine has no such device.
    """
    if name is None:
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"there is no device {name!r}. Use cpu, cuda or mps.") from error
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= counts.get(device.type, 0):
        raise ConfigError(f"this machine has no device {str(name)!r}. Use cpu, or leave it out.")
    return device

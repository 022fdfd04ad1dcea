"""Processes that read clips: how many, and whether decoded frames stay in memory instead.

What is read depends on neither, so each start of a run decides anew, for its machine.
"""

import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.training.config import PretrainConfig
from cavmae_sync.training.distributed import num_local_processes
from cavmae_sync.work.workers import num_cores

#: Readers of one accelerator at most. Eight suffice for 3,000 clips a second; each takes memory.
_MOST = 16
#: The same beside a training on the CPU, which needs the cores itself and takes few clips a second.
_MOST_ON_CPU = 2


def resolve_readers(
    config: PretrainConfig, clips: PreparedDataset, device: torch.device
) -> tuple[PretrainConfig, str | None]:
    """Replace `loop.num_workers=auto` by a number for this machine.

    Args:
        config: The run.
        clips: Training clips.
        device: Where this process computes.

    Returns:
        The configuration to compute with, and the number with its reason; None where it was given.
    """
    if config.loop.num_workers != "auto":
        return config, None
    number, reason = _choose(config, clips, device)
    loop = config.loop.model_copy(update={"num_workers": number})
    return config.model_copy(update={"loop": loop}), f"{number}: {reason}"


def with_memory(clips: PreparedDataset, config: PretrainConfig) -> PreparedDataset:
    """Clips whose decoded frames are kept. Workers would each keep frames of their own, so they keep none."""
    if config.loop.num_readers:
        return clips
    return clips.keeping_frames(max_bytes=config.loop.frame_memory_mib * 2**20)


def share_in_memory(clips: PreparedDataset, config: PretrainConfig) -> float:
    """Share of the frames for which there is memory, in [0, 1]."""
    if config.loop.num_readers or not len(clips):
        return 0.0
    return round(min(1.0, config.loop.frame_memory_mib * 2**20 / _num_frame_bytes(clips)), 3)


def _choose(config: PretrainConfig, clips: PreparedDataset, device: torch.device) -> tuple[int, str]:
    cores = num_cores() // num_local_processes()
    if device.type != "cpu":
        return max(1, min(_MOST, cores - 1)), f"{cores} cores beside {device.type}"
    if _num_frame_bytes(clips) <= config.loop.frame_memory_mib * 2**20:
        return 0, "all decoded frames fit into loop.frame_memory_mib"
    return max(0, min(_MOST_ON_CPU, cores - 1)), f"{cores} cores, which train too"


def _num_frame_bytes(clips: PreparedDataset) -> int:
    return len(clips) * clips.num_frames * 3 * clips.config.frame_pixels**2

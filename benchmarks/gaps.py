"""Gaps of a device: the part of a step in which it computes nothing."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch.profiler import ProfilerActivity, profile


def gaps_of(step: Callable[[], object], device: torch.device, *, num_steps: int) -> Mapping[str, float]:
    """Kernels of a step, the share of its time in which one runs, and the longest gap between two.

    On the CPU, where operations run one after the other, the time outside of operations is the gap.

    Args:
        step: One step; called without waiting between calls.
        device: Where it computes.
        num_steps: Steps that are recorded.

    Raises:
        RuntimeError: The profiler recorded nothing that ran on the device.
    """
    on_cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_cuda else [])
    with profile(activities=activities) as recorded:
        for _ in range(num_steps):
            step()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
    wanted = torch.autograd.DeviceType.CUDA if on_cuda else torch.autograd.DeviceType.CPU
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in recorded.events()
        if event.device_type == wanted and (on_cuda or event.cpu_parent is None)
    ]
    if not spans:
        raise RuntimeError(f"the profiler saw nothing that ran on {device.type}")
    busy, longest, whole = covered(spans)
    return {
        "kernels per step": len(spans) / num_steps,
        "busy share": busy / whole,
        "longest gap, ms": longest / 1000,
        "ms per step while recorded": whole / num_steps / 1000,
    }


def covered(spans: Iterable[tuple[float, float]]) -> tuple[float, float, float]:
    """Length that spans cover together, the longest gap between them, and the length from first to last."""
    ordered = sorted(spans)
    first = end = ordered[0][0]
    busy, longest = 0.0, 0.0
    for start, stop in ordered:
        longest = max(longest, start - end)
        busy += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return busy, longest, end - first

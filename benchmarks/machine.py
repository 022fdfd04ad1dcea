"""Facts about the machine, and what else runs on it during a measurement."""

import contextlib
import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

#: Processor features that decide how fast products are.
_FEATURES = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),
    *("asimd", "bf16", "i8mm"),
)
_PROC = Path("/proc")
_ROOT = Path(__file__).parents[1]


def environment(*, device: str, threads: int) -> dict[str, object]:
    """Facts about this machine that numbers depend on."""
    return {
        "processor": processor_name(),
        "cores": num_cores(),
        "features": _features(),
        "memory_gib": round(_memory_bytes() / 2**30, 1),
        "device": _device_name(device),
        "threads": threads,
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()) or "unknown",
        "allocator": "preloaded: " + os.environ["LD_PRELOAD"] if os.environ.get("LD_PRELOAD") else "libc's",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mkl": torch.backends.mkl.is_available(),
        "onednn": torch.backends.mkldnn.is_available(),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "is_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def processor_name() -> str:
    """The processor as it calls itself."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def num_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def synchronize(device: str) -> None:
    """Wait until the device has finished, so that a clock can be read."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device.startswith("mps"):
        torch.mps.synchronize()


def peak_memory_bytes() -> int:
    """Peak memory of this process, plus that of its living children."""
    marks = [_high_water_mark(pid) for pid in _family(os.getpid())]
    if any(marks):
        return sum(marks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def device_memory_bytes(device: str) -> int:
    """Peak memory of tensors on an accelerator; 0 on the CPU."""
    return torch.cuda.max_memory_allocated() if device.startswith("cuda") else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Processor time until now, in ticks: of all programs, and of this one with its children.

    Attributes:
        all_ticks: Ticks of everything that runs here, time taken away by the host included.
        own_ticks: Ticks of this process and of all below it.
        seconds: Time of this reading.
    """

    all_ticks: float
    own_ticks: float
    seconds: float

    @classmethod
    def now(cls) -> "Load | None":
        """Counters at this moment; None where the system has none."""
        with contextlib.suppress(OSError):
            busy = [int(word) for word in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
            user, nice, system, _idle, _wait, interrupt, soft, steal = busy
            own = sum(_ticks(pid) for pid in _family(os.getpid()))
            total = user + nice + system + interrupt + soft + steal
            return cls(all_ticks=total, own_ticks=own, seconds=time.perf_counter())
        return None

    def foreign_since(self, before: "Load") -> float:
        """Share of all cores that others used since `before`, in [0, 1]."""
        possible = (self.seconds - before.seconds) * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
        foreign = (self.all_ticks - before.all_ticks) - (self.own_ticks - before.own_ticks)
        return min(max(foreign / max(possible, 1e-9), 0.0), 1.0)


def _family(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for task in _PROC.glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += _family(int(child))
    return found


def _ticks(pid: int) -> int:
    with contextlib.suppress(OSError):
        words = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return sum(int(word) for word in words[11:15])  # its own and its ended children's, user and system
    return 0


def _high_water_mark(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _features() -> list[str]:
    words: set[str] = set()
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            words |= set(line.partition(":")[2].split())
    return [name for name in _FEATURES if name in words]


def _cpuinfo() -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield from (_PROC / "cpuinfo").read_text().splitlines()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device.startswith("cuda") else device


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def described(facts: Mapping[str, object]) -> str:
    """The environment in one line, for people."""
    features = facts["features"]
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['threads']} threads, device {facts['device']} "
        f"({', '.join(features) if isinstance(features, list) else ''}), {facts['memory_gib']} GiB, "
        f"torch {facts['torch']}, {facts['libc']}, commit {facts['commit']}"
        f"{' with changes' if facts['is_dirty'] else ''}, {facts['date']}"
    )

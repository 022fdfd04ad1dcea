"""Measure one accelerator in less than ten minutes: what to expect of it, and where its time goes.

python -m benchmarks.accelerator [--device cuda] [--minutes 10] [--out FILE.json]
python -m benchmarks.accelerator --small --device cpu --minutes 2      does everything work? measures nothing

Products, a step (eager, compiled, precisions, batches of 64 to 512, memory), the gaps in a step, the whole
loop with its readers, readers against a sink, features, and retrieval. Each measurement is made by itself:
one that fails, does not fit into memory, or comes too late, is a row that says so.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.accelerator_jobs import Job, Place, all_jobs
from benchmarks.machine import described, environment, num_cores

#: No measurement begins in the last seconds.
_RESERVE_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Result of one measurement.

    Attributes:
        section: What it belongs to: products, step, ...
        name: Variant.
        numbers: Numbers by name, with their unit in the name.
        problem: Reason why there are none, or empty.
        seconds: Time that the measurement took, preparation included.
    """

    section: str
    name: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    seconds: float = 0.0


def main() -> int:
    options = _options()
    device = _device(options.device)
    facts = environment(device=device.type, threads=num_cores())
    facts["num_devices"] = torch.accelerator.device_count() if device.type != "cpu" else 0
    print(described(facts))
    stop = time.perf_counter() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="accelerator-") as folder:
        place = Place(device=device, folder=Path(folder), small=options.small)
        results = [_measured(job, place, stop=stop) for job in all_jobs(place)]
    print(table(results))
    if options.out is not None:
        content: dict[str, Any] = {
            "environment": facts,
            "is_small": options.small,
            "results": [asdict(each) for each in results],
        }
        options.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"written: {options.out}")
    return 1 if all(each.problem for each in results) else 0


def _measured(job: Job, place: Place, *, stop: float) -> Measured:
    began = time.perf_counter()
    known = {"section": job.section, "name": job.name}
    if began > stop - _RESERVE_SECONDS:
        return Measured(**known, problem="no time was left")
    print(f"{job.section}: {job.name}", file=sys.stderr, flush=True)
    try:
        numbers, problem = job.measure(place), ""
    except torch.OutOfMemoryError:
        numbers, problem = {}, "does not fit into the memory of the device"
    except Exception as error:  # noqa: BLE001 (one that fails must not cost the others)
        first_line = str(error).strip().splitlines()[:1] or [""]
        numbers, problem = {}, f"{type(error).__name__}: {first_line[0][:100]}"
    gc.collect()
    if place.device.type == "cuda":
        torch.cuda.empty_cache()
    return Measured(**known, numbers=numbers, problem=problem, seconds=time.perf_counter() - began)


def table(results: list[Measured]) -> str:
    """All results as text, a line for each."""
    lines: list[str] = []
    section = ""
    width = max(len(each.name) for each in results)
    for each in results:
        if each.section != section:
            section = each.section
            lines += ["", section]
        said = each.problem or ", ".join(f"{name} {value:,.4g}" for name, value in each.numbers.items())
        lines.append(f"  {each.name:<{width}}  {said}")
    return "\n".join(lines)


def _device(name: str | None) -> torch.device:
    from cavmae_sync.compute import choose_device
    from cavmae_sync.errors import ConfigError

    try:
        return choose_device(name)
    except ConfigError as error:
        raise SystemExit(str(error)) from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accelerator",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", help="cuda, mps or cpu; the best there is unless given")
    parser.add_argument("--minutes", type=float, default=10.0, help="time for everything (default 10)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--small", action="store_true", help="small models, few repeats: measures nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""How long all-pairs similarity takes, against one cosine at a time.

    python benchmarks/similarity.py [--clips 1545] [--loop-clips 24] [--json FILE]

The loops run on `--loop-clips` clips in the same process; their time for all clips is extrapolated with the
number of pairs, and labelled so.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cavmae_sync.embedding.similarity import AGGREGATIONS, similarity_matrix


def seconds(action: Callable[[], object], *, repeats: int) -> float:
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def loops(query_QTD: Tensor, gallery_GTD: Tensor, *, aggregation: str) -> Tensor:
    scores = torch.empty(len(query_QTD), len(gallery_GTD))
    reduce = torch.mean if aggregation.endswith("mean") else torch.amax
    for q, query_TD in enumerate(query_QTD):
        for g, gallery_TD in enumerate(gallery_GTD):
            others = range(len(gallery_TD))
            cosines = [
                F.cosine_similarity(query_TD[k], gallery_TD[m], dim=0)
                for k in range(len(query_TD))
                for m in (others if aggregation.startswith("block") else (k,))
            ]
            scores[q, g] = reduce(torch.stack(cosines), dim=0)
    return scores


def measure(name: str, *, clips_NTD: Tensor, other_NTD: Tensor, num_loop_clips: int) -> dict[str, object]:
    fast = seconds(lambda: similarity_matrix(clips_NTD, other_NTD, aggregation=name), repeats=3)
    num = num_loop_clips if name.startswith("diagonal") else max(2, num_loop_clips // 4)
    few, other = clips_NTD[:num], other_NTD[:num]
    start = time.perf_counter()
    expected = loops(few, other, aggregation=name)
    slow = (time.perf_counter() - start) * (len(clips_NTD) / num) ** 2
    error = (similarity_matrix(few, other, aggregation=name) - expected).abs().max()
    return {
        "aggregation": name,
        "seconds": fast,
        "loop_seconds_extrapolated": slow,
        "loop_clips_measured": num,
        "ratio_to_extrapolated_loop": slow / fast,
        "largest_difference": float(error),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1545)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--loop-clips", type=int, default=24)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    shape = (options.clips, options.frames, options.width)
    clips, other = (F.normalize(torch.randn(shape, generator=generator), dim=-1) for _ in range(2))
    rows = [
        measure(name, clips_NTD=clips, other_NTD=other, num_loop_clips=options.loop_clips)
        for name in AGGREGATIONS
    ]
    setting = {
        "shape": shape,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
    }
    print(f"{options.clips} x {options.clips} pairs of {options.frames} frames, width {options.width}")
    print(f"{'aggregation':<15}{'seconds':>10}{'loops, extrapolated':>22}{'ratio':>10}{'difference':>12}")
    for row in rows:
        print(
            f"{row['aggregation']:<15}{row['seconds']:>10.3f}{row['loop_seconds_extrapolated']:>20.0f} s"
            f"{row['ratio_to_extrapolated_loop']:>10.0f}{row['largest_difference']:>12.1e}"
        )
    if options.json:
        options.json.write_text(json.dumps({"setting": setting, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Search in large libraries: `python -m benchmarks.search_size --like L --work FOLDER --num-clips 100000`.

L is a library that a trained model made. Its moments, with noise added, become the moments of a library of so
many clips, ten to a file. Each engine is asked by the same queries, on one thread, beside a plain scan of all
windows in NumPy; the truth is the exact score of every placement. Clips of noise alone can stand for it too
(`--noise 100`).
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library import open_library
from cavmae_sync.embedding.library.schema import SENSES, Sense
from cavmae_sync.search.coarse import CoarseName, make_coarse
from cavmae_sync.search.placements import (
    Placements,
    all_placements,
    likely_placements,
    placement_scores,
    scanned_scores,
    separate,
)
from cavmae_sync.search.timeline import Grid, Timelines, extend_timelines
from cavmae_sync.search.windows import SHORT_QUERY, Windows, places_as_windows, windows_of

CLIPS_PER_FILE: Final = 10
ENGINES: Final[tuple[CoarseName, ...]] = ("exact", "flat", "inverted")
#: Moments of a query, at 0.625 s: a picture, 2 s, 10 s.
LENGTHS: Final = (1, 3, 16)


def main() -> None:
    """Make the moments, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--like", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--num-clips", type=int, default=100_000)
    parser.add_argument("--num-queries", type=int, default=50)
    parser.add_argument("--noise", type=float, default=0.5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    library = open_library(given.like)
    width, step = library.record.encoder.width, library.config.step_seconds
    base = Timelines(given.like / "derived" / "search", width=width, step_seconds=step)
    folder = given.work / f"{given.num_clips}-{given.noise:g}"
    per_file = CLIPS_PER_FILE * library.config.num_frames
    if not (folder / "contents.arrow").exists():
        began = time.perf_counter()
        grids = made_grids(base, given.num_clips // CLIPS_PER_FILE, per_file, noise=given.noise)
        extend_timelines(folder, grids, width=width, step_seconds=step)
        print(f"moments written in {time.perf_counter() - began:.0f} s")
    timelines = Timelines(folder, width=width, step_seconds=step)
    result: dict[str, Any] = {"num_clips": given.num_clips, "width": width, "noise": given.noise}
    result["bytes_per_clip"] = 2 * timelines.num_places * width * 2 / given.num_clips
    began = time.perf_counter()
    rows_GD = timelines.mapped("visual")
    long = windows_of(rows_GD, first_C=timelines.first_C, count_C=timelines.count_C)
    result["windows"] = {"count": len(long.place_W), "seconds": time.perf_counter() - began}
    windows = {False: long, True: places_as_windows(rows_GD)}
    result["engines"] = {
        name: measured(name, timelines, windows, num_queries=given.num_queries) for name in ENGINES
    }
    print(json.dumps(result, indent=2))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


def made_grids(base: Timelines, num_files: int, count: int, *, noise: float) -> Iterator[tuple[str, Grid]]:
    """Files made of stretches of a library, with noise."""
    generator = np.random.default_rng(0)
    rows = {sense: np.asarray(base.mapped(sense), np.float32) for sense in SENSES}
    scale = noise / np.sqrt(base.width)
    for number in range(num_files):
        first = int(generator.integers(0, base.num_places - count + 1))
        made: dict[Sense, NDArray[np.float16]] = {}
        for sense in SENSES:
            some = rows[sense][first : first + count] + scale * generator.normal(size=(count, base.width))
            made[sense] = (some / np.linalg.norm(some, axis=1, keepdims=True)).astype(np.float16)
        yield f"{number:064x}", Grid(start_seconds=0.0, stop_seconds=count * base.step_seconds, rows=made)


def measured(
    name: CoarseName, timelines: Timelines, by_kind: dict[bool, Windows], *, num_queries: int
) -> dict[str, Any]:
    """Time of a query, and how much of the true ten best it finds, by length."""
    began = time.perf_counter()
    indexes = {kind: make_coarse(windows.rows_WD, name) for kind, windows in by_kind.items()}
    found: dict[str, Any] = {"seconds_to_make": time.perf_counter() - began}
    allowed_C = np.ones(len(timelines.contents), bool)
    for length in LENGTHS:
        queries = asked(timelines, length, num_queries)
        index, windows = indexes[length <= SHORT_QUERY], by_kind[length <= SHORT_QUERY]
        every = all_placements(timelines, length, allowed_C=allowed_C)
        warm, cold, recalls = [], [], []
        for query in queries:
            forget(timelines)
            seconds, _ = once(index, timelines, windows, query)
            cold.append(seconds)
            seconds, best = once(index, timelines, windows, query)
            warm.append(seconds)
            recalls.append(recall(best, truth(timelines, every, query)))
        found[f"{length} moments"] = {
            "warm_ms": 1000 * float(np.median(warm)),
            "cold_ms": 1000 * float(np.median(cold)),
            "recall_at_10": float(np.mean(recalls)),
        }
    return found


def asked(timelines: Timelines, length: int, count: int) -> list[NDArray[np.float32]]:
    """Stretches with a little noise."""
    generator = np.random.default_rng(1)
    rows = timelines.mapped("visual")
    queries = []
    for _ in range(count):
        content = int(generator.integers(0, len(timelines.contents)))
        first = int(timelines.first_C[content] + generator.integers(0, timelines.count_C[content] - length))
        some = np.asarray(rows[first : first + length], np.float32)
        some = some + 0.2 / np.sqrt(timelines.width) * generator.normal(size=some.shape)
        queries.append((some / np.linalg.norm(some, axis=1, keepdims=True)).astype(np.float32))
    return queries


def once(
    index: Any, timelines: Timelines, windows: Windows, query: NDArray[np.float32]
) -> tuple[float, set[tuple[int, int]]]:
    """Seconds of one search, and the ten best places."""
    began = time.perf_counter()
    placements = likely_placements(timelines, index, windows.place_W, query, allowed_W=None)
    scores = placement_scores(timelines, "visual", query, placements)
    chosen = separate(timelines, placements, scores, length=len(query), most=10)
    seconds = time.perf_counter() - began
    return seconds, pairs(placements, chosen)


def truth(timelines: Timelines, every: Placements, query: NDArray[np.float32]) -> list[tuple[int, int]]:
    """The ten best of all placements, best first."""
    scores = scanned_scores(timelines, "visual", query, every)
    top = np.argpartition(-scores, 2000)[:2000] if len(scores) > 2000 else np.arange(len(scores))
    some = every.take(np.sort(top))
    chosen = separate(timelines, some, scores[np.sort(top)], length=len(query), most=10)
    return [(int(some.content_P[each]), int(some.offset_P[each])) for each in chosen]


def pairs(placements: Placements, chosen: NDArray[np.int64]) -> set[tuple[int, int]]:
    """Content and offset of some placements."""
    return {(int(placements.content_P[each]), int(placements.offset_P[each])) for each in chosen}


def recall(found: set[tuple[int, int]], true: Sequence[tuple[int, int]]) -> float:
    """Share of the true places that were found, a step beside counts too."""
    hits = sum(any((c, o + near) in found for near in (-1, 0, 1)) for c, o in true)
    return hits / max(len(true), 1)


def forget(timelines: Timelines) -> None:
    """Drop the moments from memory, so that they are read from the disk again."""
    for sense in SENSES:
        descriptor = os.open(timelines.folder / f"{sense}.f16", os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    timelines._mapped.clear()


if __name__ == "__main__":
    main()

"""Search in large libraries: `OMP_NUM_THREADS=1 python -m benchmarks.search_size --like L --work FOLDER`.

L is a library that a trained model made. Its moments, with noise added, become those of a library of
`--num-clips` clips, ten to a file. Questions are stretches of it, with a little noise, at four phases. Each
engine is asked the same ones through `LibrarySearch`, warm and with the vectors dropped from memory, beside a
scan of every placement in NumPy, which is the truth. `--noise 100` gives clips of noise alone.
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

from cavmae_sync.embedding.library import Catalogue, ContentRow, FileRow, Library, Root, open_library
from cavmae_sync.embedding.library.record import claim_library
from cavmae_sync.embedding.library.schema import DERIVED_FOLDER, SENSES, Sense
from cavmae_sync.search import Found, LibrarySearch, Query, SearchOptions
from cavmae_sync.search.coarse import CoarseName
from cavmae_sync.search.query import NUM_PHASES
from cavmae_sync.search.timeline import Grid, Timelines, extend_timelines

CLIPS_PER_FILE: Final = 10
ENGINES: Final[tuple[CoarseName, ...]] = ("exact", "flat", "inverted")
#: Kinds of question: name, moments at 0.625 s, senses, phases.
KINDS: Final[tuple[tuple[str, int, tuple[Sense, ...], int], ...]] = (
    ("picture", 1, ("visual",), 1),
    ("sound of 2 s", 3, ("audio",), NUM_PHASES),
    ("sound of 10 s", 16, ("audio",), NUM_PHASES),
    ("video of 2 s", 3, SENSES, NUM_PHASES),
    ("video of 10 s", 16, SENSES, NUM_PHASES),
)
NUM_HITS: Final = 10


def main() -> None:
    """Make the library, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--like", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--num-clips", type=int, default=100_000)
    parser.add_argument("--num-queries", type=int, default=30)
    parser.add_argument("--noise", type=float, default=0.5)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--no-truth", action="store_true", help="ask without the scan of every placement")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    like = open_library(given.like)
    folder = given.work / f"library-{given.num_clips}-{given.noise:g}"
    began = time.perf_counter()
    library = made_library(like, folder, num_clips=given.num_clips, noise=given.noise)
    result: dict[str, Any] = {
        "num_clips": given.num_clips,
        "noise": given.noise,
        "width": like.record.encoder.width,
        "seconds_to_write_moments": time.perf_counter() - began,
    }
    for name in given.engine or ENGINES:
        result[name] = measured(library, name, num_queries=given.num_queries, has_truth=not given.no_truth)
        result[name]["bytes_per_clip_on_disk"] = size_of(folder / DERIVED_FOLDER) / given.num_clips
        print(json.dumps({name: result[name]}, indent=2), flush=True)
    result["seconds_to_add_1000_clips"] = added(like, library, noise=given.noise)
    print(f"1,000 clips more are found after {result['seconds_to_add_1000_clips']:.2f} s")
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


def made_library(like: Library, folder: Path, *, num_clips: int, noise: float) -> Library:
    """Library of stretches of another one, with noise; only its moments are written, no parts."""
    if not (folder / "catalogue.sqlite").exists():
        step, width = like.config.step_seconds, like.record.encoder.width
        base = Timelines(like.folder / DERIVED_FOLDER / "search", width=width, step_seconds=step)
        claim_library(folder, like.record)
        count = CLIPS_PER_FILE * like.config.num_frames
        names = [f"{number:064x}" for number in range(num_clips // CLIPS_PER_FILE)]
        grids = (
            (name, grid) for name, grid in zip(names, made_grids(base, count, noise=noise), strict=False)
        )
        extend_timelines(folder / DERIVED_FOLDER / "search", grids, width=width, step_seconds=step)
        with Catalogue(folder, is_writable=True) as catalogue:
            catalogue.put_root(Root(name="made", path=folder, is_listed=True))
            files = [FileRow(root="made", path=f"{name}.mp4", content=name, state="ok") for name in names]
            catalogue.put_files(files, [content_row(name, count, count * step) for name in names])
    return open_library(folder)


def content_row(content: str, num_frames: int, seconds: float) -> ContentRow:
    """Counts of a content with both senses."""
    return ContentRow(
        content=content,
        num_clips=CLIPS_PER_FILE,
        num_frames=num_frames,
        seconds=seconds,
        has_audio=True,
        has_visual=True,
        num_silent=0,
        num_still=0,
        num_short=0,
        num_bytes=0,
    )


def made_grids(base: Timelines, count: int, *, noise: float) -> Iterator[Grid]:
    """Files made of stretches of a library, with noise, without end."""
    generator = np.random.default_rng(0)
    scale = noise / np.sqrt(base.width)
    rows = {sense: np.asarray(base.mapped(sense), np.float32) for sense in SENSES}
    while True:
        first = int(generator.integers(0, base.num_places - count + 1))
        made = {
            sense: unit(
                rows[sense][first : first + count]
                + scale * generator.standard_normal((count, base.width), np.float32)
            ).astype(np.float16)
            for sense in SENSES
        }
        yield Grid(start_seconds=0.0, stop_seconds=count * base.step_seconds, rows=made)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of unit length."""
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def added(like: Library, library: Library, *, noise: float) -> float:
    """Seconds until vectors of 1,000 more clips are found by an inverted index that is open."""
    search = LibrarySearch(library, coarse="inverted")
    warm = asked(search, 3, SENSES, NUM_PHASES, count=1)[0]
    search.search(warm)
    step, width = like.config.step_seconds, like.record.encoder.width
    base = Timelines(like.folder / DERIVED_FOLDER / "search", width=width, step_seconds=step)
    count, first = CLIPS_PER_FILE * like.config.num_frames, len(search.timelines.contents)
    names = [f"{number:064x}" for number in range(first, first + 1000 // CLIPS_PER_FILE)]
    grids = list(zip(names, made_grids(base, count, noise=noise), strict=False))
    began = time.perf_counter()
    extend_timelines(library.folder / DERIVED_FOLDER / "search", iter(grids), width=width, step_seconds=step)
    with Catalogue(library.folder, is_writable=True) as catalogue:
        files = [FileRow(root="made", path=f"{name}.mp4", content=name, state="ok") for name in names]
        catalogue.put_files(files, [content_row(name, count, count * step) for name in names])
    search.refresh()
    search.search(warm)
    return time.perf_counter() - began


def measured(
    library: Library, name: CoarseName, *, num_queries: int, has_truth: bool = True
) -> dict[str, Any]:
    """Times of an engine, and how much of the true ten best it finds, by kind of question."""
    for path in (library.folder / DERIVED_FOLDER / "search").glob("*.cells"):
        path.unlink()
    found: dict[str, Any] = {}
    search = LibrarySearch(library, coarse=name)
    kinds = {kind: asked(search, *about, count=num_queries) for kind, *about in KINDS}
    for when in ("first", "again"):  # the second time cells are on the disk
        search = LibrarySearch(library, coarse=name)
        began = time.perf_counter()
        for sense in SENSES:
            for is_short in (True, False):
                search._scorer._indexes.get(sense, is_short=is_short)
        found[f"seconds_to_make_indexes_{when}"] = time.perf_counter() - began
    for kind, queries in kinds.items():
        began = time.perf_counter()
        search.search(queries[0])  # calibrates
        found[kind] = {"seconds_to_calibrate": time.perf_counter() - began}
        cold, warm, scans, recalls = [], [], [], []
        for query in queries:
            forget(search.timelines)
            cold.append(search.search(query).seconds)
            answer = search.search(query)
            warm.append(answer.seconds)
            if not has_truth:
                continue
            truth = search.search(query, SearchOptions(num_hits=NUM_HITS, is_exact=True))
            scans.append(truth.seconds)
            recalls.append(recall(answer, truth, within=library.config.step_seconds))
        found[kind] |= {
            "warm_ms": 1000 * float(np.median(warm)),
            "cold_ms": 1000 * float(np.median(cold)),
            "scan_ms": 1000 * float(np.median(scans)) if scans else None,
            "recall_at_10": float(np.mean(recalls)) if recalls else None,
            "is_exact": answer.is_exact,
        }
    return found


def asked(
    search: LibrarySearch, length: int, senses: Sequence[Sense], num_phases: int, *, count: int
) -> list[Query]:
    """Stretches with a little noise; later phases lie between two moments."""
    generator, timelines = np.random.default_rng(1), search.timelines
    step, queries = timelines.step_seconds, []
    for _ in range(count):
        content = int(generator.integers(0, len(timelines.contents)))
        first = int(timelines.first_C[content])
        first += int(generator.integers(0, timelines.count_C[content] - length - 1))
        phases = []
        for phase in range(num_phases):
            share, rows = phase / NUM_PHASES, {}
            for sense in senses:
                some = np.asarray(timelines.mapped(sense)[first : first + length + 1], np.float32)
                mixed = (1 - share) * some[:-1] + share * some[1:]
                noise = generator.standard_normal(mixed.shape, np.float32)
                rows[sense] = unit(mixed + 0.2 / np.sqrt(timelines.width) * noise)
            phases.append(
                Query(
                    rows=rows,
                    step_seconds=step,
                    first_seconds=share * step,
                    duration_seconds=length * step,
                    about="",
                    later=(),
                )
            )
        whole = phases[0]
        queries.append(
            Query(
                rows=whole.rows,
                step_seconds=step,
                first_seconds=0.0,
                duration_seconds=whole.duration_seconds,
                about="a stretch",
                later=tuple(phases[1:]),
            )
        )
    return queries


def recall(answer: Found, truth: Found, *, within: float) -> float:
    """Share of the true hits that were found; a step beside counts too."""
    found = [(hit.content, hit.offset_seconds) for hit in answer.hits]
    is_found = [
        any(
            content == hit.content and abs(offset - hit.offset_seconds) <= within for content, offset in found
        )
        for hit in truth.hits
    ]
    return sum(is_found) / max(len(is_found), 1)


def forget(timelines: Timelines) -> None:
    """Drop the moments from memory, so that they are read from the disk again."""
    timelines._mapped.clear()
    for sense in SENSES:
        descriptor = os.open(timelines.folder / f"{sense}.f16", os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()

"""What it takes to open a prepared dataset of very many clips: seconds and memory of one process.

python -m benchmarks.studies.many_clips [--clips 10000 100000 1000000] [--json FILE]

The table has the real columns and made-up rows of 16 frames; shards are empty, since opening does not read
them. Each size is opened in a process of its own, once mapped (`clips.arrow`) and once read (`clips.parquet`,
as datasets of earlier versions), and then asked for the ids and labels of a thousand batches of 32 clips.
"""

import argparse
import hashlib
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.machine import peak_memory_bytes
from cavmae_sync.data import PrepareConfig, PreparedDataset
from cavmae_sync.data.clips_table import MAPPED_FILE, write_mapped
from cavmae_sync.data.manifest import (
    CLIPS_FILE,
    CLIPS_SCHEMA,
    DATASET_FILE,
    SCHEMA_VERSION,
    SHARDS_FOLDER,
    write_table,
)
from cavmae_sync.paper import NUM_FRAMES

_CLIPS_PER_SHARD = 512


def clips_table(count: int) -> pa.Table:
    """Rows as preparation writes them, of clips that do not exist."""
    rows = np.arange(count)
    hashes = np.random.default_rng(0).bytes(32 * count).hex()
    lengths_NT = np.random.default_rng(1).integers(15_000, 20_000, (count, NUM_FRAMES))
    offsets_NT = (rows % _CLIPS_PER_SHARD)[:, None] * 800_000 + np.cumsum(lengths_NT + 1024, axis=1)

    def text(of: Callable[[int], str]) -> pa.Array:
        return pa.array([of(row) for row in range(count)], pa.string())

    def lists(values_NT: np.ndarray) -> pa.Array:
        ends = pa.array(np.arange(0, values_NT.size + 1, NUM_FRAMES, dtype=np.int32))
        return pa.ListArray.from_arrays(ends, pa.array(values_NT.reshape(-1)))

    columns: dict[str, Any] = {
        "id": text(lambda row: f"{hashes[64 * row : 64 * row + 11]}_{row % 600}"),
        "source": text(lambda row: f"{row // 1000:04d}/{hashes[64 * row : 64 * row + 11]}.mp4"),
        "content_hash": text(lambda row: hashes[64 * row : 64 * row + 64]),
        "frame_seconds": lists(np.tile(np.linspace(0, 9.9, NUM_FRAMES), (count, 1))),
        "sampling": text(lambda _: "linspace_inclusive"),
        "labels": pa.array([["/m/09x0r", "/m/04rlf"][: 1 + row % 2] for row in range(count)]),
        "shard": text(lambda row: shard_name(row // _CLIPS_PER_SHARD)),
        "frame_offsets": lists(offsets_NT),
        "frame_lengths": lists(lengths_NT),
        "num_spectrogram_frames": np.full(count, 998),
    }
    for field in CLIPS_SCHEMA:
        if field.name not in columns:  # numbers and flags
            columns[field.name] = pa.array(np.zeros(count)).cast(field.type)
    return pa.table({name: columns[name] for name in CLIPS_SCHEMA.names}).cast(CLIPS_SCHEMA)


def shard_name(number: int) -> str:
    return f"shard-{number:06d}-00.tar"


def make_dataset(folder: Path, count: int) -> None:
    """A dataset that opens, without media."""
    clips = clips_table(count)
    (folder / SHARDS_FOLDER).mkdir(parents=True)
    names = [shard_name(number) for number in range(-(-count // _CLIPS_PER_SHARD))]
    for name in names:
        (folder / SHARDS_FOLDER / name).touch()
    empty = hashlib.sha256().hexdigest()
    record = {
        "schema_version": SCHEMA_VERSION,
        "list_sha256": empty,
        "counts": {"num_clips": count},
        "plan": {"config": PrepareConfig().model_dump(mode="json")},
        "shards": [{"name": name, "num_bytes": 0, "sha256": empty} for name in names],
    }
    write_table(clips, folder / CLIPS_FILE)
    write_mapped(clips, folder, record)
    (folder / DATASET_FILE).write_text(json.dumps(record), encoding="utf-8")


def measure(folder: Path) -> dict[str, float]:
    """Open and look things up, in this process."""
    before = peak_memory_bytes()
    began = time.perf_counter()
    clips = PreparedDataset.open(folder)
    opened = time.perf_counter()
    generator = np.random.default_rng(0)
    for _ in range(1000):
        clips.ids_and_labels(generator.integers(0, len(clips), 32).tolist())
    return {
        "open_seconds": opened - began,
        "seconds_per_1000_lookups": time.perf_counter() - opened,
        "added_megabytes": (peak_memory_bytes() - before) / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"{'clips':>10}  {'table':<7}{'open s':>9}{'1000 look-ups s':>17}{'memory MB':>11}")
    for count in arguments.clips:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "dataset"
            make_dataset(folder, count)
            for how in ("mapped", "read"):
                if how == "read":
                    (folder / MAPPED_FILE).unlink()
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    found = pool.apply(measure, (folder,))
                rows.append({"clips": count, "table": how, **found})
                print(f"{count:>10,}  {how:<7}" + "{:>9.2f}{:>17.2f}{:>11.0f}".format(*found.values()))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

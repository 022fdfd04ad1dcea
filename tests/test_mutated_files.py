"""Mutated copies of files that strangers send: a message or a right answer, no crash, memory bounded.

A thousand of each kind in the slow tests, each kind in a process of its own; some of each in the fast ones,
all in one process. A process of its own shows a crash, a traceback or gigabytes.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import DatasetEmbeddings, write_embeddings
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import save_model

from .weights.official_files import sync_file

#: What a process may take in all; torch and the commands, without anything done, take 400.
MOST_MEGABYTES = 900

SCRIPT = r"""
import json, re, shutil, sys, warnings
from pathlib import Path
import numpy as np
warnings.simplefilter("ignore")
from cavmae_sync.cli import run as run_cli  # imports what commands import
from cavmae_sync.data import PreparedDataset, read_clip_list
from cavmae_sync.errors import CavMaeSyncError
from cavmae_sync.embedding.vector_files import read_embeddings
from cavmae_sync.weights import load_model

def header_size(source, content):
    # Bytes that may be changed: of safetensors the header alone.
    return 8 + int.from_bytes(content[:8], "little") if source.suffix == ".safetensors" else len(content)

INTERESTING = [b"\x00", b"\xff", b"\x7f", b"\x80", b"-1", b"0", b"99999999999999999999", b"1e999", b"null",
               b"[" * 3000, b'"', b"{}", b"\n", b"../../", b"NaN", b"\xff\xff\xff\x7f", b"\x00" * 8, b"\x1b["]

def mutated(original, size, rng):
    data = bytearray(original)
    for _ in range(int(rng.integers(1, 4))):
        how, place = rng.integers(7), int(rng.integers(size))
        if how == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif how == 1:
            data[place] = int(rng.integers(256))
        elif how == 2:
            del data[place : place + int(rng.integers(1, 40))]
        elif how == 3:
            data[place:place] = bytes(rng.bytes(int(rng.integers(1, 40))))
        elif how == 4:
            word = INTERESTING[int(rng.integers(len(INTERESTING)))]
            data[place : place + len(word)] = word
        elif how == 5:
            del data[place:]
        else:
            start = int(rng.integers(size))
            data[place:place] = data[start : start + int(rng.integers(1, 200))]
        if not data:
            return bytes(data)
        size = min(size, len(data))
    return bytes(data)

def use(kind, folder, path):
    if kind == "weights":
        load_model(path, overrides=["heads=1", "decoder.heads=1"] if path.suffix == ".pth" else [])
    elif kind == "vectors":
        read_embeddings(path)
    elif kind == "list":
        read_clip_list(path)
    else:
        with PreparedDataset.open(folder) as clips:
            for index in range(len(clips)):
                clips.row(index)
                clips.read_frame(index, 0)
                clips.read_log_mel_rows(index, start=0, stop=clips.num_spectrogram_frames(index))
            clips.read_waveform(0)
            len(clips.list_sha256), clips.labels

def try_all(kind, source, folder, count):
    original = source.read_bytes()
    told = right = longest = 0
    failures = []
    target = folder / source.name
    for seed in range(count):
        rng = np.random.default_rng(seed)
        target.write_bytes(mutated(original, header_size(source, original), rng))
        try:
            use(kind, folder, target)
            right += 1
        except CavMaeSyncError as error:
            told += 1
            longest = max(longest, len(str(error)))
            if str(folder) not in str(error):
                failures.append((seed, "names no file: " + str(error)[:200]))
        except BaseException as error:
            failures.append((seed, f"{type(error).__name__}: {str(error)[:200]}"))
    # Of this process alone: what the kernel counts for `getrusage` begins with the size of the parent.
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024
    return {"told": told, "right": right, "longest": longest, "megabytes": peak, "failures": failures}

for kind, source, folder in json.loads(sys.argv[1]):
    print(json.dumps(try_all(kind, Path(source), Path(folder), int(sys.argv[2]))), flush=True)
"""


def write_weights(path: Path) -> None:
    if path.suffix == ".pth":
        torch.save({"model": sync_file(), "args": argparse.Namespace(rate=0.1), "epoch": np.int64(3)}, path)
        return
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32), width=16, depth=1, heads=2, registers=1,
        decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    save_model(CAVMAESync(config), path)


def write_list(path: Path) -> None:
    if path.suffix == ".csv":
        path.write_text("video_id,labels\n" + "".join(f'clip_{i},"dog, bark"\n' for i in range(20)))
        return
    clips = [{"video_id": f"clip_{i}", "labels": "/m/09x0r,/m/04rlf", "wav": f"{i}.wav"} for i in range(20)]
    path.write_text(json.dumps({"data": clips}))


def write_vectors(path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    audio_NTD, visual_NTD = (
        torch.nn.functional.normalize(torch.randn(6, 2, 8, generator=generator), dim=-1) for _ in range(2)
    )
    embeddings = DatasetEmbeddings(
        audio_NTD=audio_NTD,
        visual_NTD=visual_NTD,
        clip_ids=tuple("abcdef"),
        labels=(("dog",),) * 6,
        clip_list="1" * 64,
        weights="2" * 64,
        made_with={"precision": "float32"},
    )
    write_embeddings(embeddings, path)


#: Files by what they are read as, and who writes a good one; those of a dataset are there.
KINDS = {
    "dataset.json": ("dataset", None),
    "clips.parquet": ("dataset", None),
    "clips.arrow": ("dataset", None),
    "model.safetensors": ("weights", write_weights),
    "checkpoint.pth": ("weights", write_weights),
    "list.json": ("list", write_list),
    "list.csv": ("list", write_list),
    "vectors.npz": ("vectors", write_vectors),
    "vectors.parquet": ("vectors", write_vectors),
}


def job(name: str, prepared_folder: Path, tmp_path: Path) -> tuple[str, str, str]:
    """What a file is read as, the good file, and the folder for its mutated copies."""
    folder = tmp_path / f"copy of {name}"
    kind, make = KINDS[name]
    if kind == "dataset":
        source = prepared_folder / name
        shutil.copytree(prepared_folder, folder)
        if name == "clips.parquet":
            (folder / "clips.arrow").unlink()
    else:
        folder.mkdir()
        source = tmp_path / name
        make(source)
    return kind, str(source), str(folder)


def check_copies(names: list[str], prepared_folder: Path, tmp_path: Path, *, count: int) -> None:
    jobs = [job(name, prepared_folder, tmp_path) for name in names]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(jobs), str(count)],
        capture_output=True, text=True, check=False, timeout=3000,
    )  # fmt: skip
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0, (ran.returncode, names[len(lines)], ran.stderr[-2000:])
    for name, line in zip(names, lines, strict=True):
        found = json.loads(line)
        sys.stdout.write(f"{name}: { ({**found, 'failures': len(found['failures'])}) }\n")  # for pytest -s
        assert found["failures"] == [], name
        assert found["told"] + found["right"] == count
        assert found["megabytes"] < MOST_MEGABYTES, name
        assert found["longest"] < 2000, name


@pytest.mark.long
def test_a_few_mutated_copies_of_each_kind_are_told_or_right(prepared_folder: Path, tmp_path: Path):
    check_copies(list(KINDS), prepared_folder, tmp_path, count=25)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_thousand_mutated_copies_are_told_or_right(prepared_folder: Path, tmp_path: Path, name: str):
    check_copies([name], prepared_folder, tmp_path, count=1000)

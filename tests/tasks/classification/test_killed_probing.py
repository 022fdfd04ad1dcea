"""A probe survives `kill -9` at any moment: the same command ends with the same files, controls too."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.model import CAVMAESync
from cavmae_sync.weights import save_model

from .test_probing import ONE_RATE, TINY, WORDS

# Kills itself at the n-th change to the file system, for every twentieth n, each time in a new folder.
KILLED_AT_CHANGES = """
import os, signal, sys
import cavmae_sync.tasks.classification.probing_feature_files, torch.utils.tensorboard
from cavmae_sync.cli import run

folder, last_file, words = sys.argv[1], sys.argv[2], sys.argv[3:]
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}

def probe(out, killed_at):
    pid = os.fork()
    if pid == 0:
        left = [killed_at]
        def count(event, _):
            if event in CHANGES:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        os._exit(run([*words, "--out", out]))
    return os.waitpid(pid, 0)[1]

assert probe(f"{folder}/straight", 0) == 0
n = 1
while True:
    out = f"{folder}/killed"
    was_killed = probe(out, n) == signal.SIGKILL
    if was_killed and not os.path.exists(f"{out}/{last_file}"):
        assert probe(out, 0) == 0, n
    os.rename(out, f"{folder}/killed-{n:03d}")
    if not was_killed:
        break
    n += 20
print(n)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(CAVMAESync(TINY, generator=torch.Generator().manual_seed(0)), path)
    return path


@pytest.fixture(scope="module")
def given(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that some other model made."""
    ids = PreparedDataset.open(prepared_folder).clip_ids
    features = np.random.default_rng(0).normal(size=(len(ids), 3, 8)).astype(np.float32)
    path = tmp_path_factory.mktemp("given") / "features.npz"
    np.savez(path, features=features, ids=np.array(ids))
    return path


def contents(out: Path) -> dict[str, bytes]:
    """All files but TensorBoard's, whose names tell the time."""
    files = (path for path in out.rglob("*") if path.is_file() and path.parent.name != "tensorboard")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("kind", ["model", pytest.param("features", marks=pytest.mark.slow)])
def test_killed_at_changes_to_the_disk(
    kind: str, weights: Path, given: Path, prepared_folder: Path, tmp_path: Path
) -> None:
    what, last_file = {
        "model": ([weights], "probe.safetensors"),
        "features": (["--features", given], "report.json"),
    }[kind]
    lists = ["--train", prepared_folder, "--test", prepared_folder, "--allow-overlap"]
    words = ["probe", *what, *WORDS, *ONE_RATE, *lists, "--with-controls", "--json"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_AT_CHANGES, tmp_path, last_file, *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    expected = contents(tmp_path / "straight")
    last = int(done.stdout.splitlines()[-1])
    assert last > 15
    for n in range(1, last + 1, 20):
        assert contents(tmp_path / f"killed-{n:03d}") == expected, f"killed at change {n}"

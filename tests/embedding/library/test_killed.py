"""Embedding survives `kill -9` and Ctrl-C at any moment: run again, it ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import embed_library
from cavmae_sync.weights import save_model

from .conftest import SMALL

Contents = Callable[[Path], dict[str, bytes]]

# Kills itself at the n-th change to the file system, for every seventh n, each time in a new folder.
KILLED_AT_CHANGES = """
import os, signal, sys
from pathlib import Path
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import LibraryConfig, embed_library
from cavmae_sync.model import load_model

source, folder, weights = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
config, embedder = LibraryConfig.model_validate_json(sys.argv[4]), Embedder(load_model(weights), device="cpu")
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}

def run(out, killed_at):
    pid = os.fork()
    if pid == 0:
        left = [killed_at]
        def count(event, _):
            if event in CHANGES:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        embed_library(embedder, source, out=out, config=config, num_workers=0)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

n = 1
while True:
    out = folder / f"killed-{n:03d}"
    was_killed = run(out, n) == signal.SIGKILL
    assert run(out, 0) == 0
    if not was_killed:
        break
    n += 7
print(n)
"""

WITH_WORKERS = """
import sys
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import LibraryConfig, embed_library
from cavmae_sync.model import load_model

if __name__ == "__main__":
    config = LibraryConfig.model_validate_json(sys.argv[4])
    tell = lambda done, total, pace: print(done, flush=True)
    embedder = Embedder(load_model(sys.argv[3]), device="cpu")
    embed_library(embedder, sys.argv[1], out=sys.argv[2], config=config, num_workers=2, on_progress=tell)
"""


@pytest.fixture(scope="module")
def weights(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(embedder.model, path)
    return path


def test_killed_at_changes_to_the_disk(
    videos: Path, embedder: Embedder, weights: Path, tmp_path: Path, contents: Contents
) -> None:
    source = tmp_path / "few.txt"
    source.write_text("".join(f"{videos}/{name}\n" for name in ("c.mp4", "z_copy.mp4", "empty.mp4")))
    embed_library(embedder, source, out=tmp_path / "straight", config=SMALL, num_workers=0)
    expected = contents(tmp_path / "straight")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            KILLED_AT_CHANGES,
            source,
            tmp_path,
            weights,
            SMALL.model_dump_json(),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    last = int(done.stdout)
    assert last > 15
    for n in range(1, last + 1, 7):
        assert contents(tmp_path / f"killed-{n:03d}") == expected, f"killed at change {n}"


@pytest.mark.parametrize("blow", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_stopped_with_workers_and_resumed(
    videos: Path,
    library: Path,
    embedder: Embedder,
    weights: Path,
    tmp_path: Path,
    contents: Contents,
    blow: signal.Signals,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(WITH_WORKERS)
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, script, videos, out, weights, SMALL.model_dump_json()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        descendants = _descendants(process.pid)
        process.send_signal(blow)
    assert process.returncode != 0
    assert not (out / "library.json").exists()
    _wait_until_gone(descendants)
    embed_library(embedder, videos, out=out, config=SMALL, num_workers=0)
    assert contents(out) == contents(library)


def _descendants(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    if not tasks.exists():
        pytest.skip("needs /proc to find the workers")
    children = [int(child) for child in tasks.read_text().split()]
    return children + [grandchild for child in children for grandchild in _descendants(child)]


def _wait_until_gone(pids: list[int]) -> None:
    """Workers must not outlive a killed parent: they would wait for ever."""
    deadline = time.monotonic() + 30
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"workers {pids} outlive their parent"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"

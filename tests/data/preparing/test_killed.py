"""Preparation survives `kill -9` at any moment: run again, it ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cavmae_sync.data import PrepareConfig, prepare

Contents = Callable[[Path], dict[str, bytes]]
SMALL = PrepareConfig(num_frames=4, frame_pixels=64, clip_seconds=2.0, files_per_shard=2)

# Kills itself at the n-th change to the file system, for every n, each time in a new folder.
KILLED_AT_EVERY_CHANGE = """
import os, signal, sys
from pathlib import Path
from cavmae_sync.data import PrepareConfig, prepare

source, folder, config = Path(sys.argv[1]), Path(sys.argv[2]), PrepareConfig.model_validate_json(sys.argv[3])
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
        prepare(source, out=out, config=config, num_workers=0)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

n = 0
while True:
    n += 1
    out = folder / f"killed-{n:03d}"
    was_killed = run(out, n) == signal.SIGKILL
    assert run(out, 0) == 0
    if not was_killed:
        break
print(n - 1)
"""

WITH_WORKERS = """
import sys
from pathlib import Path
from cavmae_sync.data import PrepareConfig, prepare

if __name__ == "__main__":
    config = PrepareConfig.model_validate_json(sys.argv[3])
    tell = lambda step: print(step.num_done, flush=True)
    prepare(sys.argv[1], out=sys.argv[2], config=config, num_workers=2, on_progress=tell)
"""


def test_killed_at_every_change_to_the_disk(videos: Path, tmp_path: Path, contents: Contents) -> None:
    source = tmp_path / "few.txt"
    source.write_text("".join(f"{videos}/{name}\n" for name in ("quiet.mp4", "empty.mp4")))
    config = SMALL.model_copy(update={"files_per_shard": 1})
    prepare(source, out=tmp_path / "straight", config=config, num_workers=0)
    expected = contents(tmp_path / "straight")
    arguments = [source, tmp_path, config.model_dump_json()]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_AT_EVERY_CHANGE, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    num_kills = int(done.stdout)
    assert num_kills > 15
    for n in range(1, num_kills + 2):
        assert contents(tmp_path / f"killed-{n:03d}") == expected, f"killed at change {n}"


def test_killed_with_workers_and_resumed(videos: Path, tmp_path: Path, contents: Contents) -> None:
    prepare(videos, out=tmp_path / "straight", config=SMALL, num_workers=0)
    script = tmp_path / "script.py"
    script.write_text(WITH_WORKERS)
    out = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, script, videos, out, SMALL.model_dump_json()], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # one unit is done, others are under way
        children = _children(process.pid)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "dataset.json").exists()
    assert len(children) >= 2
    _wait_until_gone(children)
    prepare(videos, out=out, config=SMALL, num_workers=0)
    assert contents(out) == contents(tmp_path / "straight")


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    if not tasks.exists():
        pytest.skip("needs /proc to find the workers")
    return [int(child) for child in tasks.read_text().split()]


def _wait_until_gone(pids: list[int]) -> None:
    """Workers must not outlive a killed parent: they would wait for ever."""
    deadline = time.monotonic() + 20
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"workers {pids} outlive their parent"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"

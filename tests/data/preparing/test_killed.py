"""Preparation survives `kill -9` at any moment: run again, it ends with the same bytes."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cavmae_sync.data import PrepareConfig, prepare

from ...kills import check_all_alike, descendants, kill_at_changes, run_apart, wait_until_gone
from ...small_videos import SMALL

Contents = Callable[[Path], dict[str, bytes]]

WITH_WORKERS = """
import sys
from cavmae_sync.data import PrepareConfig, prepare

if __name__ == "__main__":
    config = PrepareConfig.model_validate_json(sys.argv[3])
    tell = lambda progress: print(progress.num_done, flush=True)
    prepare(sys.argv[1], out=sys.argv[2], config=config, num_workers=2, on_progress=tell)
"""


def killed_at_every_change(source: Path, folder: Path, config: PrepareConfig) -> None:
    kill_at_changes(lambda out: prepare(source, out=out, config=config, num_workers=0), folder)


@pytest.mark.long
def test_killed_at_every_change_to_the_disk(videos: Path, tmp_path: Path, contents: Contents) -> None:
    source = tmp_path / "few.txt"
    source.write_text("".join(f"{videos}/{name}\n" for name in ("quiet.mp4", "empty.mp4")))
    config = SMALL.model_copy(update={"files_per_shard": 1})
    run_apart(killed_at_every_change, source, tmp_path, config)
    check_all_alike(tmp_path, contents, at_least=16)


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
        workers = descendants(process.pid)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "dataset.json").exists()
    assert len(workers) >= 2
    wait_until_gone(workers)
    prepare(videos, out=out, config=SMALL, num_workers=0)
    assert contents(out) == contents(tmp_path / "straight")

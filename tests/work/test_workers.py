"""Workers end with the one they work for, however it is stopped, and say nothing about it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cavmae_sync.errors import DatasetError
from cavmae_sync.work.workers import num_cores, num_worth_starting, run_in_workers

LONG = """
import os, signal, sys, time
from pathlib import Path
from cavmae_sync.work.workers import run_in_workers

def work(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start jobs behind them without it
    print("begun", flush=True)
    list(run_in_workers(work, sys.argv[1:], num_workers=2))
"""


def test_workers_are_started_where_they_are_worth_their_start() -> None:
    several = num_cores() if num_cores() > 1 else 0
    found = [num_worth_starting(num_items, items_each=4) for num_items in (0, 1, 7, 1000)]
    assert found == [0, 0, 0, several]


@pytest.mark.parametrize(
    ("number", "everybody", "when"),
    [
        pytest.param(signal.SIGINT, True, "at work", id="Ctrl-C"),
        pytest.param(
            signal.SIGINT, True, "starting", id="Ctrl-C while workers start", marks=pytest.mark.long
        ),
        pytest.param(signal.SIGINT, False, "at work", id="SIGINT to the parent", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, False, "at work", id="SIGTERM to the parent"),
    ],
)
def test_workers_end_at_once(number: int, everybody: bool, when: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(LONG)
    marks = [tmp_path / name for name in "ab"]
    with subprocess.Popen(
        [sys.executable, script, *marks],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if when == "at work":
            wait_for(lambda: all(mark.exists() and mark.read_text() for mark in marks))
        else:
            time.sleep(0.3)
        begun = time.monotonic()
        (os.killpg if everybody else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=30)  # ends when nobody holds stderr, workers included
    assert time.monotonic() - begun < 30
    assert process.returncode == -number
    expected = 1 if number == signal.SIGINT else 0  # the parent's own; `cavmae-sync` turns it into a line
    assert said.count("Traceback") == said.count("KeyboardInterrupt\n") == expected, said
    assert "Process" not in said.replace("ProcessPool", "")


def test_an_exception_comes_through_and_ends_the_rest(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(LONG.replace("time.sleep(60)", "path.endswith('a') or time.sleep(60); int('no')"))
    done = subprocess.run(
        [sys.executable, script, tmp_path / "a", tmp_path / "b"],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "ValueError: invalid literal for int() with base 10: 'no'" in done.stderr


def server_of(_item: int) -> int:
    return os.getppid()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a fork may not have torch")
def test_torch_is_imported_once_for_all_workers() -> None:
    """By the server that they are forks of, and that lives as long as this process: it is found again."""
    servers = [server for _ in range(2) for server in run_in_workers(server_of, [1, 2], num_workers=2)]
    assert len(set(servers)) == 1
    assert servers[0] != os.getpid()
    assert "libtorch" in Path(f"/proc/{servers[0]}/maps").read_text()


def die(_item: int) -> None:
    os._exit(9)


def test_a_worker_that_dies_is_an_error_that_names_files() -> None:
    with pytest.raises(
        DatasetError, match=r"A worker process died: .* It was reading a\.mp4, b\.mp4, c\.mp4, or"
    ):
        list(run_in_workers(die, [1], num_workers=1, suspects=lambda: ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]))


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.long
def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """Workers import the main module, which then starts workers: Python ends them."""
    script = tmp_path / "own.py"
    script.write_text(
        "from cavmae_sync.work.workers import run_in_workers\n"
        "print(list(run_in_workers(abs, [-1, -2], num_workers=2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Or {script} starts workers as soon as it is imported" in done.stderr

"""Jobs side by side: each in its own process with one thread, with progress and a question to stop."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cavmae_sync.errors import DatasetError, TrainingError
from cavmae_sync.work.side_by_side import JobLink, JobState, num_fitting, run_side_by_side

ENDLESS = """
import os, sys, time
from pathlib import Path
from cavmae_sync.work.side_by_side import run_side_by_side

def work(path, link):
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    run_side_by_side(work, [(path, path) for path in sys.argv[1:]], num_processes=2)
"""


def count(limit: int, link: JobLink) -> tuple[int, int, int]:
    for number in range(1, limit + 1):
        link.tell(number, limit, f"at {number}")
    return limit, os.getpid(), torch.get_num_threads()


def test_each_job_has_a_process_and_one_thread() -> None:
    results = run_side_by_side(count, [(f"to {k}", k) for k in (3, 1, 2)], num_processes=2)
    assert {name: limit for name, (limit, _, _) in results.items()} == {"to 3": 3, "to 1": 1, "to 2": 2}
    assert len({process for _, process, _ in results.values()} | {os.getpid()}) == 4
    assert {threads for _, _, threads in results.values()} == {1}


def test_states_are_told_by_name() -> None:
    seen: list[list[JobState]] = []
    run_side_by_side(
        count, [("a", 2), ("b", 3)], num_processes=1, on_states=lambda states: seen.append(list(states))
    )
    assert [(state.name, state.done, state.total) for state in seen[0]] == [("a", 1, 2), ("b", 0, 0)]
    assert [(state.done, state.total, state.note) for state in seen[-1]] == [(2, 2, "at 2"), (3, 3, "at 3")]
    assert all(50e6 < state.peak_bytes < 50e9 for state in seen[-1])


def wait_to_stop(name: str, link: JobLink) -> str:
    link.tell(0, 1)
    while not link.should_stop():
        time.sleep(0.01)
    return f"{name} was saved"


def test_a_request_to_stop_reaches_what_runs_and_begins_nothing() -> None:
    begun: set[str] = set()
    results = run_side_by_side(
        wait_to_stop,
        [("a", "a"), ("b", "b"), ("c", "c")],
        num_processes=2,
        on_states=lambda states: begun.update(state.name for state in states if state.total),
        should_stop=lambda: len(begun) == 2,
    )
    assert results == {"a": "a was saved", "b": "b was saved"}


def fail(name: str, link: JobLink) -> str:
    if name == "bad":
        raise TrainingError("it cannot be")
    return wait_to_stop(name, link)


def test_an_error_comes_through_after_the_others_have_stopped() -> None:
    with pytest.raises(TrainingError, match="it cannot be") as caught:
        run_side_by_side(fail, [("good", "good"), ("bad", "bad")], num_processes=2)
    assert "in fail" in caught.value.__notes__[0]


def die(_item: int, _link: JobLink) -> None:
    os._exit(9)


def test_a_process_that_dies_is_an_error() -> None:
    with pytest.raises(DatasetError, match="A worker process died: it ran out of memory"):
        run_side_by_side(die, [("a", 1)], num_processes=1)


@pytest.mark.long
def test_processes_end_with_the_one_they_work_for(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ENDLESS)
    marks = [tmp_path / name for name in "ab"]
    with subprocess.Popen([sys.executable, script, *marks], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not all(mark.exists() and mark.read_text() for mark in marks):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)  # ends when nobody holds stderr, the jobs included


def test_there_is_always_room_for_one() -> None:
    assert num_fitting(bytes_each=1 << 60) == 1
    assert num_fitting(bytes_each=1, most=1) == 1
    assert num_fitting(bytes_each=1) == len(os.sched_getaffinity(0))

"""Processes that are killed, and what they leave: for tests of work that is resumed.

`kill_at_changes` forks, so it runs in a process of its own (`run_apart`): a fork of pytest would lack its
threads.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cavmae_sync.work.workers import worker_context

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}


def run_apart(function: Callable[..., object], *arguments: object, seconds: float = 600) -> None:
    """Call a function of a module in a process of its own, which has torch already and may fork."""
    process = worker_context().Process(target=function, args=arguments)
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode == 0


def kill_at_changes(
    do: Callable[[Path], object],
    folder: Path,
    *,
    step: int = 1,
    is_whole: Callable[[Path], bool] | None = None,
) -> None:
    """Do work in `straight`; then in `killed-NNN`, killed at change NNN to the file system and run again.

    Args:
        do: The work, given its folder.
        folder: Where these folders are made.
        step: Every which change to be killed at.
        is_whole: Whether what was left is already complete, so that it is not run again; None runs it always.
    """
    do(folder / "straight")  # here, not in a fork: what is imported late is imported once for all forks
    change, was_killed = 1, True
    while was_killed:
        out = folder / f"killed-{change:03d}"
        was_killed = _fork(do, out, killed_at=change) == signal.SIGKILL
        if was_killed and not (is_whole and is_whole(out)):
            assert _fork(do, out) == 0, f"killed at change {change} and run again"
        change += step


def check_all_alike(folder: Path, contents: Callable[[Path], dict[str, bytes]], *, at_least: int) -> None:
    """What was killed and run again holds the same bytes as what was done in one go."""
    expected = contents(folder / "straight")
    killed = sorted(folder.glob("killed-*"))
    assert len(killed) >= at_least
    for out in killed:
        assert contents(out) == expected, out.name


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    if not tasks.exists():
        pytest.skip("needs /proc to find the workers")
    children = [int(child) for child in tasks.read_text().split()]
    return children + [below for child in children for below in descendants(child)]


def wait_until_gone(pids: list[int]) -> None:
    """Workers must not outlive a killed parent: they would wait for ever."""
    deadline = time.monotonic() + 30
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"workers {pids} outlive their parent"
        time.sleep(0.05)


def _fork(do: Callable[[Path], object], out: Path, *, killed_at: int = 0) -> int:
    """How the work ends in a process of its own: its exit status, or the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        left = killed_at

        def count(event: str, values: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES and not _changes_nothing(event, values):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            do(out)
        except BaseException:  # noqa: BLE001 (the fork must not go on as the parent would)
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def _changes_nothing(event: str, values: tuple[object, ...]) -> bool:
    """A file removed that is not there, a folder made that is: the disk stays as at the next change."""
    path, is_absolute = Path(str(values[0])), values[-1] == -1
    return (event == "os.mkdir" and path.is_dir()) or (
        event == "os.remove" and is_absolute and not os.path.lexists(path)
    )


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"

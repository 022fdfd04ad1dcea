"""Files that are there whole or not at all, and what a kill leaves of them."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cavmae_sync.atomic import locked, write_text, written_whole
from cavmae_sync.errors import DatasetError, TrainingError

KILLED = """
import os, signal, sys
from pathlib import Path
from cavmae_sync.atomic import written_whole
with written_whole(Path(sys.argv[1])) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(path: Path) -> Path:
    """What is left of a file whose process was killed."""
    before = set(path.parent.iterdir())
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -9
    (left,) = set(path.parent.iterdir()) - before
    assert left.suffix == ".part"
    return left


def test_what_a_kill_left_goes_with_the_next_file_of_the_folder(tmp_path: Path):
    left = killed_while_writing(tmp_path / "a.txt")
    write_text(tmp_path / "b.txt", "whole")
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_what_others_write_at_this_moment_stays(tmp_path: Path):
    script = "import sys\nfrom pathlib import Path\nfrom cavmae_sync.atomic import write_text\n"
    script += "write_text(Path(sys.argv[1]), 'theirs')"
    with written_whole(tmp_path / "a.txt") as part:
        part.write_text("mine")
        subprocess.run([sys.executable, "-c", script, tmp_path / "b.txt"], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.txt": "mine",
        "b.txt": "theirs",
    }


def test_what_another_machine_left_stays(tmp_path: Path):
    """Nobody here can know whether it still writes."""
    left = tmp_path / f"a.txt.{'0' * 32}.part"
    left.touch()
    write_text(tmp_path / "b.txt", "whole")
    assert left.exists()


def test_an_error_leaves_nothing(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a.txt"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_held_is_an_error_of_the_kind_asked_for(tmp_path: Path):
    lock = tmp_path / "new" / "writer.lock"
    with locked(lock):
        with pytest.raises(DatasetError, match="Somebody"), locked(lock, busy="Somebody is there."):
            pass
        with pytest.raises(TrainingError), locked(lock, busy="Somebody is there.", error=TrainingError):
            pass
    with locked(lock, busy="Somebody is there."):
        pass


def test_who_waits_for_a_lock_is_asked_again_and_again_and_may_give_up(tmp_path: Path):
    lock, asked = tmp_path / "writer.lock", 0

    def give_up() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise KeyboardInterrupt

    with locked(lock), pytest.raises(KeyboardInterrupt), locked(lock, on_wait=give_up):
        pass
    assert asked == 3


def test_a_lock_is_given_on_when_its_process_is_killed(tmp_path: Path):
    script = "import sys, time\nfrom pathlib import Path\nfrom cavmae_sync.atomic import locked\n"
    script += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)"
    lock, waited = tmp_path / "writer.lock", 0
    command = [sys.executable, "-c", script, lock]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        def kill() -> None:
            nonlocal waited
            waited += 1
            holder.kill()

        with locked(lock, on_wait=kill):
            assert waited


def test_on_a_file_system_without_locks_the_work_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Lustre that is mounted without them; a pretraining there must not end because of it."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="has no locks"), locked(tmp_path / "a.lock", busy="Busy."):
        write_text(tmp_path / "a.txt", "written")
    assert (tmp_path / "a.txt").read_text() == "written"


def test_other_errors_of_a_lock_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def flock(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), locked(tmp_path / "a.lock"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_lock_of_another_user_of_the_folder_is_held_too(tmp_path: Path):
    lock = tmp_path / "a.lock"
    lock.touch(mode=0o444)
    with locked(lock), pytest.raises(DatasetError, match="Busy"), locked(lock, busy="Busy."):
        pass

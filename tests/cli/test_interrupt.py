"""SIGTERM and a closed terminal end a command as Ctrl-C does: workers end, no half files, one line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cavmae_sync.cli.interrupt import stop_on_signal, stops_are_interrupts
from cavmae_sync.embedding.library import open_library

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def stopped(words: list[object], number: int, *, when: Callable[[], bool], group: bool) -> tuple[int, str]:
    """Exit code and messages of a command that got a signal; ends only when its workers have ended too."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cavmae_sync", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not when():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (os.killpg if group else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


@pytest.fixture(autouse=True)
def handlers_of_a_terminal() -> Iterator[None]:
    """A shell starts what runs in the background with Ctrl-C ignored, and `nohup` with a closed terminal."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def many_videos(prepared_folder: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    clips = sorted((prepared_folder.parent / "stage" / "clips").glob("*.mp4"))
    for number in range(300):
        shutil.copy(clips[number % len(clips)], folder / f"{number:03d}.mp4")
    return folder


@pytest.mark.parametrize(
    "group", [True, pytest.param(False, marks=pytest.mark.long)], ids=["the group", "the parent"]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_prepare_cleans_up(many_videos: Path, tmp_path: Path, number: int, group: bool):
    out = tmp_path / "out"
    words = ["prepare", many_videos, "--out", out, "--num-workers", "2"]
    words += ["clip_seconds=1", "num_frames=4", "frame_pixels=32"]
    code, said = stopped(words, number, when=lambda: any(out.rglob("*.part")), group=group)
    assert (code, said.count("Traceback")) == (SIGNALS[number], 0), said
    assert said.splitlines()[-1].startswith("interrupted; what was finished is kept")
    assert not (out / "dataset.json").exists()


@pytest.mark.parametrize(
    ("number", "num_workers"),
    [
        (signal.SIGTERM, 0),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 0, marks=pytest.mark.slow),
    ],
)
def test_embed_cleans_up(many_videos: Path, weights: Path, tmp_path: Path, number: int, num_workers: int):
    out = tmp_path / "out"
    words = ["embed", weights, "--videos", many_videos, "--out", out, "--num-workers", num_workers]
    words += ["clips.clip_seconds=1", "clips.num_frames=4"]
    code, said = stopped(words, number, when=lambda: any(out.rglob("*.arrow")), group=True)
    assert (code, said.count("Traceback")) == (SIGNALS[number], 0), said
    # Rows that are encoded already are kept, to go on with.
    assert [path.name for path in out.rglob("*.part") if path.parent.name != "work"] == []
    assert not open_library(out).report().is_complete


def hear(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.parametrize(("number", "expected"), SIGNALS.items())
def test_each_signal_has_its_code(number: int, expected: int):
    with stops_are_interrupts() as code:
        with pytest.raises(KeyboardInterrupt):
            hear(number)
        assert code() == expected
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_saves_first_is_asked_and_the_code_is_that_of_the_signal():
    with stops_are_interrupts() as code:
        with stop_on_signal() as should_stop:
            assert not should_stop()
            os.kill(os.getpid(), signal.SIGTERM)
            assert should_stop()
            with pytest.raises(KeyboardInterrupt):
                hear(signal.SIGTERM)
        assert code() == 143


def test_what_others_handle_or_ignore_is_left_alone():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with stops_are_interrupts(), stop_on_signal() as should_stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not should_stop()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

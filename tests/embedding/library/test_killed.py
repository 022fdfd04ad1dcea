"""Embedding survives `kill -9` and Ctrl-C at any moment: run again, it ends with the same bytes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import add_to_library, open_library
from cavmae_sync.weights import load_model, save_model

from ...kills import check_all_alike, descendants, kill_at_changes, run_apart, wait_until_gone
from .conftest import HERE, SMALL, Counting, Held, make_video

WITH_WORKERS = """
import sys
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library
from cavmae_sync.weights import load_model

if __name__ == "__main__":
    config = LibraryConfig.model_validate_json(sys.argv[4])
    tell = lambda done, total, pace: print(done, flush=True)
    embedder = Embedder(load_model(sys.argv[3]), device="cpu")
    options = FillOptions(num_workers=2, on_progress=tell)
    add_to_library(embedder, sys.argv[1], out=sys.argv[2], config=config, options=options)
"""


@pytest.fixture(scope="module")
def weights(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(embedder.model, path)
    return path


def killed_at_changes(source: Path, folder: Path, weights: Path) -> None:
    """Of the changes to the file system every fourth."""
    embedder = Embedder(load_model(weights), device="cpu")
    kill_at_changes(
        lambda out: add_to_library(embedder, source, out=out, config=SMALL, options=HERE), folder, step=2
    )


def test_killed_at_changes_to_the_disk(videos: Path, weights: Path, tmp_path: Path, held: Held) -> None:
    source = tmp_path / "few.txt"
    source.write_text("".join(f"{videos}/{name}\n" for name in ("c.mp4", "z_copy.mp4", "empty.mp4")))
    run_apart(killed_at_changes, source, tmp_path, weights)
    check_all_alike(tmp_path, held, at_least=6)


@pytest.mark.parametrize("blow", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_stopped_with_workers_and_resumed(
    videos: Path,
    library: Path,
    embedder: Embedder,
    weights: Path,
    tmp_path: Path,
    held: Held,
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
        started = descendants(process.pid)
        process.send_signal(blow)
    assert process.returncode != 0
    wait_until_gone(started)
    assert not open_library(out).report().is_complete
    add_to_library(embedder, videos, out=out, config=SMALL, options=HERE)
    assert held(out) == held(library)


TEN_KILLS = """
import random, sys, time
from pathlib import Path
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library
from cavmae_sync.weights import load_model

if __name__ == "__main__":
    config = LibraryConfig.model_validate_json(sys.argv[4])

    class Telling(Embedder):
        def embed_frames(self, frames_PCHW, **how):
            print(len(frames_PCHW), flush=True)
            return super().embed_frames(frames_PCHW, **how)

    embedder = Telling(load_model(sys.argv[3]), device="cpu")
    options = FillOptions(num_workers=0)
    add_to_library(embedder, sys.argv[1], out=sys.argv[2], config=config, options=options)
"""


@pytest.mark.slow
def test_killed_ten_times_nothing_is_lost_or_encoded_twice(
    tmp_path: Path, embedder: Embedder, weights: Path, held: Held
) -> None:
    """Each run is killed when it has just begun to encode its next piece."""
    footage = tmp_path / "footage"
    for number in range(4):
        make_video(footage / f"{number}.mp4", seconds=8.0, seed=20 + number)
    script = tmp_path / "script.py"
    script.write_text(TEN_KILLS)
    out = tmp_path / "out"
    begun: list[int] = []
    command = [sys.executable, script, footage, out, weights, SMALL.model_dump_json()]
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            begun += [int(process.stdout.readline()) for _ in range(2)]
            process.kill()
    counting = Counting(embedder.model, device="cpu")
    add_to_library(counting, footage, out=out, config=SMALL, options=HERE)
    add_to_library(embedder, footage, out=tmp_path / "straight", config=SMALL, options=HERE)
    assert held(out) == held(tmp_path / "straight")
    # A piece of four frames is lost with each kill at most, and every other one is encoded once.
    assert sum(begun) + counting.num_frames <= 4 * 16 + 10 * 4

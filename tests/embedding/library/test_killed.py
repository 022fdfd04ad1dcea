"""Embedding survives `kill -9` and Ctrl-C at any moment: run again, it ends with the same bytes."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import embed_library
from cavmae_sync.weights import load_model, save_model

from ...kills import check_all_alike, descendants, kill_at_changes, run_apart, wait_until_gone
from .conftest import SMALL

Contents = Callable[[Path], dict[str, bytes]]

WITH_WORKERS = """
import sys
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import LibraryConfig, embed_library
from cavmae_sync.weights import load_model

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


def killed_at_changes(source: Path, folder: Path, weights: Path) -> None:
    """Of the changes to the file system every fourth."""
    embedder = Embedder(load_model(weights), device="cpu")
    kill_at_changes(
        lambda out: embed_library(embedder, source, out=out, config=SMALL, num_workers=0), folder, step=4
    )


def test_killed_at_changes_to_the_disk(
    videos: Path, weights: Path, tmp_path: Path, contents: Contents
) -> None:
    source = tmp_path / "few.txt"
    source.write_text("".join(f"{videos}/{name}\n" for name in ("c.mp4", "z_copy.mp4", "empty.mp4")))
    run_apart(killed_at_changes, source, tmp_path, weights)
    check_all_alike(tmp_path, contents, at_least=6)


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
        started = descendants(process.pid)
        process.send_signal(blow)
    assert process.returncode != 0
    assert not (out / "library.json").exists()
    wait_until_gone(started)
    embed_library(embedder, videos, out=out, config=SMALL, num_workers=0)
    assert contents(out) == contents(library)

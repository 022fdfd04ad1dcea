"""A probe survives `kill -9` at any moment: the same command ends with the same files, controls too."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.data import PreparedDataset
from cavmae_sync.model import CAVMAESync
from cavmae_sync.weights import save_model

from ...kills import check_all_alike, kill_at_changes, run_apart
from .test_probe_model import ONE_RATE, TINY, WORDS


def killed_at_changes(folder: Path, last_file: str, words: list[str]) -> None:
    """Of the changes to the file system every twelfth."""
    import torch.utils.tensorboard  # noqa: F401 -- once for all forks

    def probe(out: Path) -> None:
        assert run([*words, "--out", str(out)]) == 0

    kill_at_changes(probe, folder, step=12, is_whole=lambda out: (out / last_file).exists())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(CAVMAESync(TINY, generator=torch.Generator().manual_seed(0)), path)
    return path


@pytest.fixture(scope="module")
def given(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that some other model made."""
    ids = PreparedDataset.open(prepared_folder).clip_ids
    features = np.random.default_rng(0).normal(size=(len(ids), 3, 8)).astype(np.float32)
    path = tmp_path_factory.mktemp("given") / "features.npz"
    np.savez(path, features=features, ids=np.array(ids))
    return path


def contents(out: Path) -> dict[str, bytes]:
    """All files but TensorBoard's, whose names tell the time."""
    files = (path for path in out.rglob("*") if path.is_file() and path.parent.name != "tensorboard")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "features"])
def test_killed_at_changes_to_the_disk(
    kind: str, weights: Path, given: Path, prepared_folder: Path, tmp_path: Path
) -> None:
    what, last_file = {
        "model": ([weights], "probe.safetensors"),
        "features": (["--features", given], "report.json"),
    }[kind]
    lists = ["--train", prepared_folder, "--test", prepared_folder, "--allow-overlap"]
    words = ["probe", *what, *WORDS, *ONE_RATE, *lists, "--with-controls", "--json"]
    run_apart(killed_at_changes, tmp_path, last_file, [str(word) for word in words])
    check_all_alike(tmp_path, contents, at_least=3)

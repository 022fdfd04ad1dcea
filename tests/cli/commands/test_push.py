"""Publishing from the command line, and loading by name, in a process of its own as a user has it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cavmae_sync.model import CAVMAESync
from cavmae_sync.training import load_run_or_weights
from cavmae_sync.weights import load_model, save_model, weights_fingerprint

from ...model.conftest import tiny_config
from ...weights.local_hub import LocalHub


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_model(
        CAVMAESync(tiny_config(), generator=torch.Generator().manual_seed(0)), tmp_path / "w.safetensors"
    )
    return tmp_path / "w.safetensors"


def report_of(fingerprint: str) -> dict[str, Any]:
    value = {"value": 0.352, "low": 0.33, "high": 0.374, "chance": 0.002, "unit": "fraction"}
    counts = {"queries": 500, "substitutions": 0}
    return {
        "name": "retrieval", "metrics": {"audio_to_visual/R@1": value}, "counts": counts, "config": {},
        "weights": fingerprint, "clip_list": "c" * 64,
    }  # fmt: skip


#: The environment names the hub, as for a user; nothing is set from inside.
SCRIPT = """
import sys
from pathlib import Path
import cavmae_sync.weights, cavmae_sync.cli
assert "huggingface_hub" not in sys.modules, "the client is imported before it is needed: 0.3 s"
assert cavmae_sync.cli.run(["push", sys.argv[1], "org/name", "--licence", "MIT"]) == 0
from cavmae_sync.training import load_run_or_weights
print(cavmae_sync.weights.weights_fingerprint(load_run_or_weights(Path("org/name"))))
"""


def test_push_then_load_by_name_in_another_process(weights: Path, tmp_path: Path):
    with LocalHub().running() as hub:
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": hub.token}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(weights)],
            cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    url, fingerprint = done.stdout.split()
    assert url.startswith(f"{hub.url}/org/name/commit/")
    assert fingerprint == weights_fingerprint(load_model(weights))
    assert b"license: mit" in hub.repositories["org/name"].commits[url.split("/")[-1]]["README.md"]


def test_a_dry_run_writes_the_folder_and_prints_the_card(cli: Callable, weights: Path, tmp_path: Path):
    fingerprint = weights_fingerprint(load_model(weights))
    (tmp_path / "report.json").write_text(json.dumps(report_of(fingerprint)))
    ran = cli(
        "push", weights, "org/name", "--report", tmp_path / "report.json", "--dry-run", tmp_path / "out"
    )
    assert ran.code == 0, ran.err
    assert "nothing was sent" in ran.err
    assert ran.out.strip() == (tmp_path / "out" / "README.md").read_text().strip()
    assert "| audio to visual/R@1 | 35.2 % | 33.0 to 37.4 % | 0.2 % |" in ran.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
    }
    for load in (load_model, load_run_or_weights):  # a run has a config.json too
        assert weights_fingerprint(load(tmp_path / "out")) == fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(report_of("d" * 64)), "is of other weights (dddddddddddd)"),
        ("{}", "The file is not a report"),
        ("[1]", "is not a report"),
        ("no JSON", "is not JSON"),
    ],
)
def test_a_report_that_is_none_of_these_weights(
    cli: Callable, weights: Path, tmp_path: Path, content: str, message: str
):
    (tmp_path / "report.json").write_text(content)
    ran = cli(
        "push", weights, "org/name", "--report", tmp_path / "report.json", "--dry-run", tmp_path / "out"
    )
    assert ran.code == 1
    assert message in ran.err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_onto_a_file_says_so(cli: Callable, weights: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    ran = cli("push", weights, "org/name", "--dry-run", tmp_path / "notes.txt")
    assert ran.code == 1
    assert "must be a folder" in ran.err
    assert (tmp_path / "notes.txt").read_text() == "mine"

"""Importing has no effects: no output, no file, no environment variable, no global seed or thread count."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .package import SOURCES, module_of

#: Runs in a clean process: the state of things before and after all imports.
SCRIPT = """
import importlib, json, os, sys
import torch, numpy, sklearn  # sets KMP_ variables: its effect, not ours
def state():
    return {
        "environment": dict(os.environ),
        "folder": sorted(os.listdir(".")),
        "torch random": torch.get_rng_state().tolist(),
        "numpy random": numpy.random.get_state()[1][:5].tolist(),
        "threads": torch.get_num_threads(),
        "type": str(torch.get_default_dtype()),
        "precision": torch.get_float32_matmul_precision(),
    }
before = state()
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
after = state()
assert before == after, {name for name in before if before[name] != after[name]}
"""


def test_importing_every_module_changes_nothing_and_prints_nothing(tmp_path: Path):
    modules = [module_of(source) for source in SOURCES if source.name != "__main__.py"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(modules)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_importing_the_package_alone_is_light(tmp_path: Path):
    """`cavmae-sync --help` must not wait for torch."""
    script = "import sys, cavmae_sync; print([m for m in ('torch', 'pyarrow', 'av') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""Folder of a run: what ran, where, its results, and what is needed to go on.

RUN/config.json          the complete configuration
RUN/environment.json     versions, device, data, time
RUN/metrics.jsonl        one row per event
RUN/tensorboard/         the same for TensorBoard, where it is installed
RUN/checkpoints/         step_00001000.pt: everything needed to go on
RUN/weights.safetensors  the newest weights;  best.safetensors: those of the lowest validation loss
RUN/writer.lock          held while a process trains there
"""

import json
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from cavmae_sync.atomic import PART_SUFFIX, locked, write_text, written_whole
from cavmae_sync.config import describe_invalid
from cavmae_sync.errors import ConfigError, TrainingError, WeightsError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.training.config import PretrainConfig
from cavmae_sync.untrusted import parse_json, read_object
from cavmae_sync.weights import find_weights, load_model, read_plain
from cavmae_sync.weights.hub import RUN_FILE

CHECKPOINT_VERSION = 3


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @classmethod
    def create(cls, path: Path, config: PretrainConfig, environment: dict[str, object]) -> "RunFolder":
        """Make the folder of a new run. A run that failed before it logged or saved anything is replaced.

        Raises:
            TrainingError: The folder already holds a run.
        """
        cls(path).check_free()
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        packages = {name: version(name) for name in ("cavmae-sync", "torch", "numpy", "av")}
        facts = {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": packages,
            # Sums are cut by threads: the same bits need the same number.
            "num_threads": torch.get_num_threads(),
        }
        write_text(path / "environment.json", json.dumps(facts | environment, indent=2) + "\n")
        cls(path).replace_config(config)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open an existing run.

        Raises:
            TrainingError: There is no run.
        """
        if not (path / "config.json").is_file():
            raise TrainingError(f"{path} holds no run (no config.json). Give the folder that --out named.")
        return cls(path)

    def config(self) -> PretrainConfig:
        """Configuration of the run.

        Raises:
            ConfigError: The file is damaged or of another version.
        """
        return read_config(self.path / "config.json")

    def replace_config(self, config: PretrainConfig) -> None:
        """Write another configuration for a run that goes on.

        Only fields may change on which the steps already made do not depend, such as the length.
        """
        write_text(self.path / "config.json", config.model_dump_json(indent=2) + "\n")

    def environment(self) -> dict[str, Any]:
        """Content of `environment.json`.

        Raises:
            TrainingError: It is damaged.
        """
        remedy = "Take it from a copy of the run."
        return read_object(self.path / "environment.json", error=TrainingError, remedy=remedy)

    @property
    def weights(self) -> Path:
        """The newest weights."""
        return self.path / RUN_FILE

    @property
    def best_weights(self) -> Path:
        """The weights of the lowest validation loss."""
        return self.path / "best.safetensors"

    @property
    def metrics(self) -> Path:
        """One row per event."""
        return self.path / "metrics.jsonl"

    def add_to_environment(self, facts: dict[str, object]) -> None:
        """Add facts that are known only after the start."""
        text = json.dumps(self.environment() | facts, indent=2)
        write_text(self.path / "environment.json", text + "\n")

    def held(self) -> AbstractContextManager[None]:
        """Lock of the folder. Whoever trains there holds it.

        Raises:
            TrainingError: Another process holds it.
        """
        busy = f"Another process is training in {self.path}. Wait until it ends."
        return locked(self.path / "writer.lock", busy=busy, error=TrainingError)

    def check_free(self) -> None:
        """Refuse a folder with results of a run.

        Raises:
            TrainingError: It holds a run.
        """
        if self.has_results():
            raise TrainingError(
                f"{self.path} already holds a run. Continue it with --resume {self.path}, or choose another "
                "--out."
            )

    def has_results(self) -> bool:
        """Whether the run has logged or saved anything."""
        has_rows = self.metrics.exists() and self.metrics.stat().st_size > 0
        return has_rows or bool(self.checkpoints())

    def checkpoints(self) -> list[Path]:
        """Checkpoints, oldest first."""
        return sorted((self.path / "checkpoints").glob("step_*.pt"))

    def save_checkpoint(self, state: dict[str, Any], *, step: int, keep: int) -> Path:
        """Write a checkpoint, whole or not at all, then delete all but the newest `keep`."""
        path = self.path / "checkpoints" / f"step_{step:08d}.pt"
        with written_whole(path) as part:
            torch.save(state | {"version": CHECKPOINT_VERSION, "step": step}, part)
        for old in self.checkpoints()[:-keep]:
            old.unlink()
        return path

    def remove_unfinished(self) -> None:
        """Remove files that a kill left unfinished, on another machine too. Nobody may write just then."""
        for folder in (self.path, self.path / "checkpoints"):
            for left in folder.glob(f"*{PART_SUFFIX}"):
                left.unlink(missing_ok=True)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint, or None where the run was stopped before its first.

        Raises:
            TrainingError: It is damaged or of another version.
        """
        found = self.checkpoints()
        if not found:
            return None
        try:
            state = read_plain(found[-1])
        except WeightsError as error:
            raise TrainingError(f"{error} Delete it to continue from the checkpoint before it.") from error
        found_version = state.get("version") if isinstance(state, dict) else None
        if found_version != CHECKPOINT_VERSION:
            raise TrainingError(
                f"{found[-1]} is a checkpoint of version {found_version}, {CHECKPOINT_VERSION} is needed."
            )
        return state


def read_config(path: Path) -> PretrainConfig:
    """Configuration in a file that a run wrote.

    Raises:
        ConfigError: The file is missing, damaged or of another version.
    """
    try:
        return PretrainConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}). Give the config.json of a run."
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"{path} is not a configuration of this version: {describe_invalid(error)}"
        ) from error


def load_run_or_weights(path: Path, overrides: Sequence[str] = ()) -> CAVMAESync:
    """Load the newest weights of a run, a weights file, or weights from a hub.

    Args:
        path: Folder of a run, a file, or a name on a hub.
        overrides: `key=value` words for what no weight shows.

    Raises:
        TrainingError: A folder holds no run, or its run has no weights yet.
        WeightsError: A file is not weights, or the hub does not give any.
    """
    return load_model(weights_of(path), overrides=overrides)


def training_data(path: Path) -> Path | None:
    """Dataset that a run (its folder, or weights in it) learned from; None where it is not there any more."""
    record = (path if path.is_dir() else path.parent) / "environment.json"
    if not record.is_file():
        return None
    try:
        data = parse_json(record.read_bytes())["data"]
    except (ValueError, KeyError, TypeError):
        return None
    return Path(data) if isinstance(data, str) and Path(data).is_dir() else None


def weights_of(path: Path) -> Path:
    """Weights file of a run, a file itself, or the file that `find_weights` finds.

    Raises:
        TrainingError: A folder holds no run, or its run has no weights yet.
        WeightsError: The hub does not give any.
    """
    found = find_weights(path)
    if not found.is_dir():
        return found
    run = RunFolder.open(found)
    if not run.weights.exists():
        raise TrainingError(f"{path} has no weights yet: the run was stopped before its first checkpoint.")
    return run.weights

"""Probing of another model: a classifier on its features from a file, measured as our own probes are.

N clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from cavmae_sync.atomic import write_text
from cavmae_sync.compute import choose_device
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, TrainingError
from cavmae_sync.tasks.classification.checks import check_labels
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationReport
from cavmae_sync.tasks.classification.feature_cache import StoredFeatures
from cavmae_sync.tasks.classification.feature_files import FileFeatures
from cavmae_sync.tasks.classification.feature_sources import Changes, StoredSource
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.head_training import FeatureSource
from cavmae_sync.tasks.classification.probe_training import (
    ProbeResult,
    ProbeTraining,
    Show,
    Split,
    TrainedHead,
    Variant,
    show_nothing,
)

REPORT_FILE: Final = "report.json"
_AVERAGED_FILE: Final = "averaged.json"


def probe_feature_file(
    features: FileFeatures,
    config: ProbeConfig,
    *,
    out: Path,
    device: str | None = None,
    show: Show = show_nothing,
) -> ProbeResult:
    """Train a classifier on features from a file and measure it; all but the features is as `probe_model`.

    OUT gets config.json, metrics.jsonl and report.json (averaged.json for averaged weights). No probe is
    written: `classify` could not compute such features.

    Args:
        features: Features of clips to learn from and to measure with.
        config: What runs, with backbone "cached".
        out: Folder of the run; must not hold one.
        device: cpu, cuda or mps; None takes the best there is.
        show: Shows progress.

    Raises:
        ConfigError: The configuration would change, choose or train features.
        TrainingError: `out` holds a run, or there are too few clips.
        DatasetError: Clips have no labels, or test clips have labels that training clips do not have.
    """
    check_config(config)
    check_free(out)
    check_labels(config, train=features.train, test=features.test)
    facts = {
        "features": features.name,
        "test_clips_also_in_training": len(features.shared),
        "clips_of_the_file_not_used": features.num_unused,
    }
    return _FileProbeTraining(features, config, device=device, show=show).run(out, facts)


def check_free(out: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        TrainingError: It does.
    """
    if (out / REPORT_FILE).exists():
        raise TrainingError(f"{out} already holds a run. Choose another --out, or delete it.")


def shuffled(features: FileFeatures, *, seed: int) -> FileFeatures:
    """Control: each clip has the features of another of its list. Nothing can be learned from them."""
    generator = np.random.default_rng(seed)
    train, test = ([rows[place] for place in generator.permutation(len(rows))] for rows in features.rows)
    return replace(features, name=f"{features.name}, shuffled", rows=(tuple(train), tuple(test)))


class _FileProbeTraining(ProbeTraining):
    """Training on features of a file."""

    def __init__(
        self, features: FileFeatures, config: ProbeConfig, *, device: str | None, show: Show
    ) -> None:
        super().__init__(
            config,
            {"train": features.train, "test": features.test},
            width=features.features_NTD.shape[2],
            embedder=None,
            device=choose_device(device),
            precision="float32",
            show=show,
        )
        self.features = features
        self.rows: Mapping[Split, Sequence[int]] = {"train": features.rows[0], "test": features.rows[1]}

    def source(
        self, embedder: Embedder | None, split: Split, rows: Sequence[int], *, changes: Changes | None
    ) -> FeatureSource:
        del embedder  # there is none
        places = [self.rows[split][row] for row in rows]
        return StoredSource(
            StoredFeatures((self.features.features_NTD,)).subset(places),
            self.is_true_NC[split][list(rows)],
            smoothing=0.0 if changes is None else changes.smoothing,
            device=self.device,
        )

    def fingerprint(self, trained: TrainedHead) -> str:
        del trained
        return self.features.fingerprint

    def write(
        self, variant: Variant, trained: TrainedHead, report: ClassificationReport, *, out: Path
    ) -> None:
        del trained
        write_text(out / (REPORT_FILE if variant == "last_epoch" else _AVERAGED_FILE), report.to_json())


def check_config(config: ProbeConfig) -> None:
    """Refuse a configuration that would change, choose or train features.

    Raises:
        ConfigError: It would.
    """
    if config.backbone != "cached":
        raise ConfigError(
            f"backbone={config.backbone} computes features anew, but --features FILE holds computed ones. "
            "Use a recipe that probes (probe_as20k, probe_vggsound, probe_stage)."
        )
    if config.features != FeatureConfig():
        raise ConfigError(
            "features.* chooses tokens of a model, but --features FILE holds computed features. Leave it out."
        )

"""A classifier on features that any model made, by the measure of our own probes.

N clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from cavmae_sync.atomic import write_text
from cavmae_sync.compute import choose_device
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, TrainingError
from cavmae_sync.tasks.classification.evaluate import ClassificationReport
from cavmae_sync.tasks.classification.feature_cache import StoredFeatures
from cavmae_sync.tasks.classification.feature_files import GivenFeatures
from cavmae_sync.tasks.classification.feature_sources import Changes, StoredSource
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.head_training import FeatureSource
from cavmae_sync.tasks.classification.probe_config import ProbeConfig
from cavmae_sync.tasks.classification.probing_bench import Bench, Show, Split, Trained, show_nothing
from cavmae_sync.tasks.classification.probing_checks import check_labels

REPORT_FILE: Final = "report.json"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutsideResult:
    """What came of a classifier on given features.

    Attributes:
        reports: `last_epoch`, and `averaged` where weights were averaged.
        learning_rate: That was trained with.
        held_out_scores: Of each learning rate on the held-out slice.
    """

    reports: Mapping[str, ClassificationReport]
    learning_rate: float
    held_out_scores: Mapping[float, float]


def run_outside_probing(
    given: GivenFeatures,
    config: ProbeConfig,
    *,
    out: Path,
    device: str | None = None,
    show: Show = show_nothing,
) -> OutsideResult:
    """Train a classifier on given features and measure it: everything but the features is as `run_probing`.

    OUT gets config.json, metrics.jsonl and report.json (averaged.json for averaged weights). No probe is
    kept: `classify` could not make such features.

    Args:
        given: Features of clips to learn from and to measure with.
        config: What runs; of a probe on features that are made.
        out: Folder of the run; must not hold one.
        device: cpu, cuda or mps; None takes the best there is.
        show: Shows progress.

    Raises:
        ConfigError: The configuration would change, choose or train features.
        TrainingError: `out` holds a run, or there are too few clips.
        DatasetError: Clips have no labels, or test clips have labels that training clips do not have.
    """
    check_config_of_given(config)
    check_free(out)
    check_labels(config, train=given.train, test=given.test)
    bench = _GivenBench(given, config, device=device)
    bench.show = show
    about = {
        "features": given.name,
        "test_clips_also_in_training": len(given.shared),
        "clips_of_the_file_not_used": given.num_unused,
    }
    done = bench.run(out, about)
    reports = {"last_epoch": bench.measure(done.trained, {**done.chosen, "weights_of": "last epoch"})}
    averaged = done.trained.averaged()
    if averaged is not None:
        count = averaged.training.head_average.count
        reports["averaged"] = bench.measure(
            averaged, {**done.chosen, "weights_of": f"mean of {count} epochs"}
        )
        write_text(out / "averaged.json", reports["averaged"].to_json())
    write_text(out / REPORT_FILE, reports["last_epoch"].to_json())  # last: the run is complete
    return OutsideResult(
        reports=reports, learning_rate=done.learning_rate, held_out_scores=done.held_out_scores
    )


def check_free(out: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        TrainingError: It does.
    """
    if (out / REPORT_FILE).exists():
        raise TrainingError(f"{out} already holds a run. Choose another --out, or delete it.")


def shuffled(given: GivenFeatures, *, seed: int) -> GivenFeatures:
    """The control: each clip has the features of another of its list. Nothing can be learned from them."""
    generator = np.random.default_rng(seed)
    train, test = ([rows[place] for place in generator.permutation(len(rows))] for rows in given.rows)
    return replace(given, name=f"{given.name}, shuffled", rows=(tuple(train), tuple(test)))


class _GivenBench(Bench):
    """Features of a file."""

    def __init__(self, given: GivenFeatures, config: ProbeConfig, *, device: str | None) -> None:
        super().__init__(
            config,
            given.train,
            given.test,
            width=given.features_NTD.shape[2],
            device=choose_device(device),
            precision="float32",
        )
        self.given = given
        self.rows: Mapping[Split, Sequence[int]] = {"train": given.rows[0], "test": given.rows[1]}

    def source(
        self, embedder: Embedder | None, split: Split, rows: Sequence[int], *, changes: Changes | None
    ) -> FeatureSource:
        del embedder  # there is none
        places = [self.rows[split][row] for row in rows]
        return StoredSource(
            StoredFeatures((self.given.features_NTD,)).subset(places),
            self.is_true_NC[split][list(rows)],
            smoothing=0.0 if changes is None else changes.smoothing,
            device=self.device,
        )

    def fingerprint(self, trained: Trained) -> str:
        del trained
        return self.given.fingerprint


def check_config_of_given(config: ProbeConfig) -> None:
    """Refuse a configuration that would change, choose or train features.

    Raises:
        ConfigError: It would.
    """
    if config.backbone != "cached":
        raise ConfigError(
            f"backbone={config.backbone} computes features anew, but those of --features FILE are made. Use "
            "a recipe that probes (probe_as20k, probe_vggsound, probe_stage)."
        )
    if config.features != FeatureConfig():
        raise ConfigError(
            "features.* chooses tokens of a model, but the features of --features FILE are made. "
            "Leave it out."
        )

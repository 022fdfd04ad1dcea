"""Probing and fine-tuning of a model: labelled clips in, a probe and its report out.

N clips, C classes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cavmae_sync.atomic import write_text
from cavmae_sync.audit.overlap import check_apart
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.tasks.classification.checks import check_probing
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationReport
from cavmae_sync.tasks.classification.feature_cache import StoredFeatures, cache_share, cached_features
from cavmae_sync.tasks.classification.feature_sources import Changes, ComputedSource, StoredSource
from cavmae_sync.tasks.classification.head_training import FeatureSource
from cavmae_sync.tasks.classification.probe import PROBE_FILE, Probe
from cavmae_sync.tasks.classification.probe_training import (
    ProbeResult,
    ProbeTraining,
    Show,
    Split,
    TrainedHead,
    Variant,
    show_nothing,
)
from cavmae_sync.weights import save_model, weights_fingerprint
from cavmae_sync.work import Share

AVERAGED_FOLDER: Final = "averaged"
FEATURES_FOLDER: Final = "features"


def probe_model(  # noqa: PLR0913 - a model, a configuration, two lists of clips, places, options
    embedder: Embedder,
    config: ProbeConfig,
    *,
    train: PreparedDataset,
    test: PreparedDataset,
    out: Path,
    features: Path | None = None,
    model_path: Path | None = None,
    num_workers: int = 0,
    allow_overlap: bool = False,
    show: Show = show_nothing,
) -> ProbeResult:
    """Train a classifier on a model's features, or fine-tune the model, and measure it on other clips.

    The learning rate is chosen on a slice of the training clips; the test clips choose nothing. OUT gets
    config.json, metrics.jsonl, probe.safetensors and report.json (weights.safetensors too for fine-tuning),
    and the same of averaged weights in averaged/.

    Args:
        embedder: The model and how it computes; never changed, fine-tuning trains a copy.
        config: What runs.
        train: Labelled clips to learn from; their labels are the classes.
        test: Labelled clips to measure with.
        out: Folder of the run; must not hold one.
        features: Folder of stored features, shared by several runs; OUT/features unless given.
        model_path: Where the model lies, for people who read the probe.
        num_workers: Processes that read clips.
        allow_overlap: Measure also on test clips that are training clips; the report counts them.
        show: Shows progress.

    Raises:
        TrainingError: `out` holds a probe, or there are too few clips.
        DatasetError: Clips have no labels, test clips have labels that training clips do not have, or test
            clips are training clips.
        ConfigError: Loss and labels, or tokens and model, do not fit.

    Source:
        Paper Table 2, settings from the development code; fine-tuning from CAV-MAE's scripts.
    """
    check_probing(config, train=train, test=test, out=out, allow_overlap=allow_overlap)
    training = _ModelProbeTraining(
        embedder,
        config,
        {"train": train, "test": test},
        folder=features or out / FEATURES_FOLDER,
        model_path=model_path,
        num_workers=num_workers,
        show=show,
    )
    shared = check_apart(test, train, allow_overlap=allow_overlap)
    return training.run(out, {"test_clips_also_in_training": len(shared)})


class _ModelProbeTraining(ProbeTraining):
    """Training on features of a model: from files, or computed anew for each batch."""

    def __init__(
        self,
        embedder: Embedder,
        config: ProbeConfig,
        clips: Mapping[Split, PreparedDataset],
        *,
        folder: Path,
        model_path: Path | None,
        num_workers: int,
        show: Show,
    ) -> None:
        super().__init__(
            config,
            clips,
            width=config.features.width(embedder.model.config),
            embedder=embedder,
            device=embedder.device,
            precision=embedder.precision,
            show=show,
        )
        self.given, self.prepared = embedder, clips
        self.folder, self.model_path, self.num_workers = folder, model_path, num_workers
        self._stored: dict[str, StoredFeatures] = {}

    def source(
        self, embedder: Embedder | None, split: Split, rows: Sequence[int], *, changes: Changes | None
    ) -> FeatureSource:
        is_true_NC, clips = self.is_true_NC[split][list(rows)], self.prepared[split]
        if self.config.backbone == "cached":
            return StoredSource(
                self._features(clips).subset(rows),
                is_true_NC,
                smoothing=0.0 if changes is None else changes.smoothing,
                device=self.device,
            )
        return ComputedSource(
            embedder or self.given,
            clips.subset(rows),
            is_true_NC,
            config=self.config.features,
            changes=changes or Changes(),
            with_gradients=changes is not None and self.config.backbone == "trained",
            num_workers=self.num_workers,
        )

    def fingerprint(self, trained: TrainedHead) -> str:
        return weights_fingerprint((trained.embedder or self.given).model)

    def write(
        self, variant: Variant, trained: TrainedHead, report: ClassificationReport, *, out: Path
    ) -> Probe:
        folder = out if variant == "last_epoch" else out / AVERAGED_FOLDER
        folder.mkdir(exist_ok=True)
        is_tuned = self.config.backbone == "trained"
        model_path = folder if is_tuned else self.model_path
        probe = Probe(
            head=trained.head,
            head_config=self.head_config(),
            classes=self.classes,
            features=self.config.features,
            loss=self.config.classifier.loss,
            weights=report.weights,
            model_path=None if model_path is None else str(model_path.absolute()),
        )
        if is_tuned:
            save_model((trained.embedder or self.given).model, folder / "weights.safetensors")
        write_text(folder / "report.json", report.to_json())
        probe.save(folder / PROBE_FILE)
        return probe

    def _features(self, clips: PreparedDataset) -> StoredFeatures:
        if clips.list_sha256 not in self._stored:
            with self.show(f"features of {clips.folder.name}") as advance:
                self._stored[clips.list_sha256] = cached_features(
                    self.given,
                    clips,
                    self.config.features,
                    folder=self.folder,
                    num_workers=self.num_workers,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
        return self._stored[clips.list_sha256]


def cache_probe_share(
    embedder: Embedder,
    config: ProbeConfig,
    *,
    train: PreparedDataset,
    test: PreparedDataset,
    features: Path,
    share: Share,
    num_workers: int,
    show: Show,
) -> bool:
    """Compute one machine's share of the features that `probe_model` with the same arguments will find.

    Args:
        embedder: The model and how it computes.
        config: The probe.
        train: Clips to learn from.
        test: Clips to measure with.
        features: Folder where features lie; every machine must see it.
        share: Which part to do.
        num_workers: Processes that read clips.
        show: Shows progress under a title.

    Returns:
        Whether all features are there; if not, other shares are missing.

    Raises:
        ConfigError: The probe computes its features anew in every epoch.
    """
    if config.backbone != "cached":
        raise ConfigError(
            f"backbone={config.backbone} computes features anew in every epoch, so there are none to share. "
            "Use backbone=cached, or leave --num-shards out."
        )
    are_complete = []
    for clips in (train, test):
        with show(f"features of {clips.folder.name}") as advance:
            are_complete.append(
                cache_share(
                    embedder,
                    clips,
                    config.features,
                    folder=features,
                    share=share,
                    num_workers=num_workers,
                    on_progress=lambda done, total, advance=advance: advance(done, total, ""),
                )
            )
    return all(are_complete)

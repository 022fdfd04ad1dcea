"""A pretrained model and labelled clips become a classifier and a report.

N clips, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cavmae_sync.atomic import write_text
from cavmae_sync.audit.overlap import check_apart
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.tasks.classification.evaluate import ClassificationReport
from cavmae_sync.tasks.classification.feature_cache import StoredFeatures, cached_features
from cavmae_sync.tasks.classification.feature_sources import Changes, ComputedSource, StoredSource
from cavmae_sync.tasks.classification.head_training import FeatureSource
from cavmae_sync.tasks.classification.probe import PROBE_FILE, Probe
from cavmae_sync.tasks.classification.probe_config import ProbeConfig
from cavmae_sync.tasks.classification.probing_bench import Bench, Show, Split, Trained, show_nothing
from cavmae_sync.tasks.classification.probing_checks import check_probing
from cavmae_sync.training import RunFolder
from cavmae_sync.training.run_log import read_metrics
from cavmae_sync.weights import save_model, weights_fingerprint

AVERAGED_FOLDER: Final = "averaged"
FEATURES_FOLDER: Final = "features"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ProbingResult:
    """What came of a probing or fine-tuning run.

    Attributes:
        probe: After the last epoch.
        report: Of it, on the test clips.
        averaged_probe: With weights averaged over epochs; None where none were.
        averaged_report: Of it.
        learning_rate: That was trained with.
        held_out_scores: Of each learning rate on the held-out slice, after its last epoch: mean average
            precision, or accuracy for one label per clip. Empty where nothing was chosen.
        curves: Rows of `metrics.jsonl`.
    """

    probe: Probe
    report: ClassificationReport
    averaged_probe: Probe | None
    averaged_report: ClassificationReport | None
    learning_rate: float
    held_out_scores: Mapping[float, float]
    curves: tuple[Mapping[str, Any], ...]


def run_probing(  # noqa: PLR0913 - a model, a configuration, two lists of clips, where things lie, who looks on
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
) -> ProbingResult:
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
        features: Where features are kept, for other runs too; OUT/features unless given.
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
        Spec 4.2, 4.4.
    """
    check_probing(config, train=train, test=test, out=out, allow_overlap=allow_overlap)
    bench = _ModelBench(embedder, config, train, test, folder=features or out / FEATURES_FOLDER)
    bench.num_workers, bench.show = num_workers, show
    shared = check_apart(test, train, allow_overlap=allow_overlap)
    done = bench.run(out, {"test_clips_also_in_training": len(shared)})
    is_trained = config.backbone == "trained"
    about = {**done.chosen, "weights_of": "last epoch"}
    averaged = done.trained.averaged()
    averaged_probe = averaged_report = None
    if averaged is not None:
        folder = out / AVERAGED_FOLDER
        folder.mkdir(exist_ok=True)
        place = folder if is_trained else model_path
        of_mean = {**about, "weights_of": f"mean of {averaged.training.head_average.count} epochs"}
        averaged_probe, averaged_report = bench.finish(averaged, of_mean, out=folder, model_path=place)
    # Last: its presence says that the run is complete.
    probe, report = bench.finish(done.trained, about, out=out, model_path=out if is_trained else model_path)
    return ProbingResult(
        probe=probe,
        report=report,
        averaged_probe=averaged_probe,
        averaged_report=averaged_report,
        learning_rate=done.learning_rate,
        held_out_scores=done.held_out_scores,
        curves=tuple(read_metrics(RunFolder(out).metrics)),
    )


class _ModelBench(Bench):
    """Features of a model: from files, or computed anew."""

    def __init__(
        self,
        embedder: Embedder,
        config: ProbeConfig,
        train: PreparedDataset,
        test: PreparedDataset,
        *,
        folder: Path,
    ) -> None:
        super().__init__(
            config,
            train,
            test,
            width=config.features.width(embedder.model.config),
            device=embedder.device,
            precision=embedder.precision,
        )
        self.embedder = self._own = embedder
        self.folder = folder
        self.prepared: Mapping[Split, PreparedDataset] = {"train": train, "test": test}
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
            embedder or self._own,
            clips.subset(rows),
            is_true_NC,
            config=self.config.features,
            changes=changes or Changes(),
            with_gradients=changes is not None and self.config.backbone == "trained",
            num_workers=self.num_workers,
        )

    def fingerprint(self, trained: Trained) -> str:
        return weights_fingerprint((trained.embedder or self._own).model)

    def finish(
        self, trained: Trained, about: Mapping[str, Any], *, out: Path, model_path: Path | None
    ) -> tuple[Probe, ClassificationReport]:
        """Measure on the test clips, and write everything down."""
        report = self.measure(trained, about)
        probe = Probe(
            head=trained.head,
            head_config=self.head_config(),
            classes=self.classes,
            features=self.config.features,
            loss=self.config.classifier.loss,
            weights=self.fingerprint(trained),
            model_path=None if model_path is None else str(model_path.absolute()),
        )
        if self.config.backbone == "trained":
            save_model((trained.embedder or self._own).model, out / "weights.safetensors")
        write_text(out / "report.json", report.to_json())
        probe.save(out / PROBE_FILE)
        return probe, report

    def _features(self, clips: PreparedDataset) -> StoredFeatures:
        if clips.list_sha256 not in self._stored:
            with self.show(f"features of {clips.folder.name}") as advance:
                self._stored[clips.list_sha256] = cached_features(
                    self._own,
                    clips,
                    self.config.features,
                    folder=self.folder,
                    num_workers=self.num_workers,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
        return self._stored[clips.list_sha256]

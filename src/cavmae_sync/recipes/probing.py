"""A pretrained model and labelled clips become a classifier and a report.

N clips, C classes.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.atomic import write_text
from cavmae_sync.data import PreparedDataset, balanced_weights, read_weights
from cavmae_sync.data.overlap import check_apart
from cavmae_sync.data.split import slice_by_file
from cavmae_sync.data.targets import class_names, label_vectors
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.feature_cache import StoredFeatures, cached_features
from cavmae_sync.embedding.probe import PROBE_FILE, Probe
from cavmae_sync.embedding.sources import Changes, ComputedSource, StoredSource
from cavmae_sync.errors import ConfigError, DatasetError, TrainingError
from cavmae_sync.evaluation.classification import ClassificationReport, classification_report
from cavmae_sync.metrics.classification import classification_metrics, correct_shares
from cavmae_sync.model import save_model, weights_fingerprint
from cavmae_sync.model.heads import Head, HeadConfig, make_head
from cavmae_sync.recipes.probing_config import ProbeConfig
from cavmae_sync.training import RunFolder
from cavmae_sync.training.classifier import ClassifierTraining, EpochReport, FeatureSource, predict_logits
from cavmae_sync.training.log import RunLog, read_metrics

AVERAGED_FOLDER: Final = "averaged"
FEATURES_FOLDER: Final = "features"

#: Shows how far something is: called with done, in all, and a note.
Advance = Callable[[int, int, str], None]
#: Opens such a display under a title.
Show = Callable[[str], AbstractContextManager[Advance]]


@contextmanager
def show_nothing(_title: str) -> Iterator[Advance]:
    """For programs."""
    yield lambda *_: None


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
    if (out / PROBE_FILE).exists():
        raise TrainingError(f"{out} already holds a probe. Choose another --out, or delete it.")
    bench = _Bench(embedder, config, train, test, folder=features or out / FEATURES_FOLDER)
    bench.num_workers, bench.show = num_workers, show
    bench.check()
    shared = check_apart(test, train, allow_overlap=allow_overlap)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "config.json", config.model_dump_json(indent=2) + "\n")
    run = RunFolder(out)
    with RunLog(run, first_step=0) as log:
        scores = bench.search(log)
        rate = max(scores, key=lambda each: scores[each]) if scores else config.optim.learning_rate
        trained = bench.train_all(rate, log)
    chosen: dict[str, Any] = {
        **config.model_dump(mode="json"),
        "learning_rate": rate,
        "held_out_scores": {f"{each:g}": score for each, score in scores.items()},
        "test_clips_also_in_training": len(shared),
    }
    place = out if config.backbone == "trained" else model_path
    probe, report = bench.finish(trained, chosen | {"weights_of": "last epoch"}, out=out, model_path=place)
    averaged = trained.averaged()
    averaged_probe = averaged_report = None
    if averaged is not None:
        folder = out / AVERAGED_FOLDER
        folder.mkdir(exist_ok=True)
        place = folder if config.backbone == "trained" else model_path
        about = chosen | {"weights_of": f"mean of {trained.training.head_average.count} epochs"}
        averaged_probe, averaged_report = bench.finish(averaged, about, out=folder, model_path=place)
    return ProbingResult(
        probe=probe,
        report=report,
        averaged_probe=averaged_probe,
        averaged_report=averaged_report,
        learning_rate=rate,
        held_out_scores=scores,
        curves=tuple(read_metrics(run.metrics)),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Trained:
    head: Head
    embedder: Embedder
    training: ClassifierTraining

    def averaged(self) -> "_Trained | None":
        """The same with averaged weights, where epochs were averaged."""
        if not self.training.head_average.count:
            return None
        head = copy.deepcopy(self.head)
        head.load_state_dict(self.training.head_average.mean())
        embedder = self.embedder
        if self.training.backbone is not None:
            embedder = _copied(embedder)
            embedder.model.load_state_dict(self.training.backbone_average.mean())
        return _Trained(head=head, embedder=embedder, training=self.training)


class _Bench:
    """One model, one configuration, two lists of clips."""

    num_workers = 0
    show: Show = staticmethod(show_nothing)

    def __init__(
        self,
        embedder: Embedder,
        config: ProbeConfig,
        train: PreparedDataset,
        test: PreparedDataset,
        *,
        folder: Path,
    ) -> None:
        self.embedder, self.config, self.train, self.test = embedder, config, train, test
        self.folder = folder
        self.width = config.features.width(embedder.model.config)
        self.classes = class_names(train)
        self.is_train_NC = label_vectors(train, self.classes)
        self.is_test_NC = label_vectors(test, self.classes)
        self._stored: dict[str, StoredFeatures] = {}

    def check(self) -> None:
        if self.config.classifier.loss == "ce":
            for clips, is_true_NC in ((self.train, self.is_train_NC), (self.test, self.is_test_NC)):
                several = (is_true_NC.sum(dim=1) != 1).nonzero().flatten().tolist()
                if several:
                    raise ConfigError(
                        f"classifier.loss=ce chooses one class, but {len(several)} of {len(clips)} clips of "
                        f"{clips.folder} have several labels ({clips.clip_id(several[0])} has "
                        f"{', '.join(clips.clip_labels(several[0]))}). Use classifier.loss=bce."
                    )

    def search(self, log: RunLog) -> dict[float, float]:
        """The score of every learning rate on held-out training clips."""
        if self.config.learning_rates is None:
            return {}
        rows = slice_by_file(self.train, fraction=self.config.held_out_fraction, seed=self.config.seed)
        is_true_NC = self.is_train_NC[list(rows.held_out)]
        scores: dict[float, float] = {}
        for rate in self.config.learning_rates:

            def measure(report: EpochReport, trained: _Trained, rate: float = rate) -> None:
                source = self._source(trained.embedder, self.train, rows.held_out, is_true_NC, None)
                scores[rate] = self._score(self._logits(trained, source), is_true_NC)
                values = {"loss": report.loss, "held_out_score": scores[rate]}
                log.write(f"learning_rate_{rate:g}", step=report.epoch, values=values)

            self._train(rows.kept, rate, f"learning rate {rate:g} on held-out clips", measure)
        return scores

    def train_all(self, rate: float, log: RunLog) -> _Trained:
        """Train on all training clips."""

        def write(report: EpochReport, _: _Trained) -> None:
            values = {"loss": report.loss, "learning_rate": report.learning_rate}
            log.write("train", step=report.epoch, values=values)

        return self._train(range(len(self.train)), rate, f"training with learning rate {rate:g}", write)

    def finish(
        self, trained: _Trained, about: Mapping[str, Any], *, out: Path, model_path: Path | None
    ) -> tuple[Probe, ClassificationReport]:
        """Measure on the test clips, and write everything down."""
        source = self._source(trained.embedder, self.test, range(len(self.test)), self.is_test_NC, None)
        weights = weights_fingerprint(trained.embedder.model)
        report = classification_report(
            self._logits(trained, source),
            self.is_test_NC,
            classes=self.classes,
            is_single_label=self.config.classifier.loss == "ce",
            num_bootstrap=self.config.num_bootstrap,
            seed=self.config.seed,
            config=about,
            weights=weights,
            clip_list=self.test.list_sha256,
        )
        probe = Probe(
            head=trained.head,
            head_config=self._head_config(),
            classes=self.classes,
            features=self.config.features,
            loss=self.config.classifier.loss,
            weights=weights,
            model_path=None if model_path is None else str(model_path.absolute()),
        )
        if self.config.backbone == "trained":
            save_model(trained.embedder.model, out / "weights.safetensors")
        write_text(out / "report.json", report.to_json())
        probe.save(out / PROBE_FILE)  # last: its presence says that the run is complete
        return probe, report

    def _train(
        self,
        rows: Sequence[int],
        rate: float,
        title: str,
        on_epoch: Callable[[EpochReport, _Trained], None],
    ) -> _Trained:
        is_trained = self.config.backbone == "trained"
        embedder = _copied(self.embedder) if is_trained else self.embedder
        changes = Changes(
            augment=self.config.augment,
            smoothing=self.config.classifier.label_smoothing,
            seed=self.config.seed,
        )
        head = make_head(self._head_config(), generator=torch.Generator().manual_seed(self.config.seed))
        head.to(embedder.device)
        training = ClassifierTraining(
            self.config.classifier,
            self.config.optim.model_copy(update={"learning_rate": rate}),
            head=head,
            source=self._source(embedder, self.train, rows, self.is_train_NC[list(rows)], changes),
            backbone=embedder.model if is_trained else None,
            weights_N=self._weights(rows),
            seed=self.config.seed,
            precision=embedder.precision,
        )
        trained = _Trained(head=head, embedder=embedder, training=training)
        with self.show(title) as advance:
            training.run(
                lambda report: on_epoch(report, trained),
                on_step=lambda done, total: advance(done, total, ""),
            )
        return trained

    def _weights(self, rows: Sequence[int]) -> NDArray[np.float64] | None:
        if not self.config.classifier.is_balanced:
            return None
        file, labels = self.config.classifier.weights_file, self.train.labels
        if file is not None:
            return read_weights(file, num_clips=len(labels))[list(rows)]
        return balanced_weights([labels[row] for row in rows])

    def _source(
        self,
        embedder: Embedder,
        clips: PreparedDataset,
        rows: Sequence[int],
        is_true_NC: Tensor,
        changes: Changes | None,
    ) -> FeatureSource:
        """Some clips of a dataset; `changes` in training only."""
        if self.config.backbone == "cached":
            return StoredSource(
                self._features(clips).subset(rows),
                is_true_NC,
                smoothing=0.0 if changes is None else changes.smoothing,
                device=embedder.device,
            )
        return ComputedSource(
            embedder,
            clips.subset(rows),
            is_true_NC,
            config=self.config.features,
            changes=changes or Changes(),
            with_gradients=changes is not None and self.config.backbone == "trained",
            num_workers=self.num_workers,
        )

    def _features(self, clips: PreparedDataset) -> StoredFeatures:
        if clips.list_sha256 not in self._stored:
            with self.show(f"features of {clips.folder.name}") as advance:
                self._stored[clips.list_sha256] = cached_features(
                    self.embedder,
                    clips,
                    self.config.features,
                    folder=self.folder,
                    num_workers=self.num_workers,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
        return self._stored[clips.list_sha256]

    def _logits(self, trained: _Trained, source: FeatureSource) -> Tensor:
        return predict_logits(
            trained.head,
            source,
            batch_size=self.config.classifier.batch_size,
            precision=trained.embedder.precision,
        )

    def _score(self, logits_NC: Tensor, is_true_NC: Tensor) -> float:
        if self.config.classifier.loss == "ce":
            return float(correct_shares(logits_NC, is_true_NC).mean())
        score = classification_metrics(logits_NC, is_true_NC).mean_average_precision
        if score is None:
            raise DatasetError(
                "The held-out slice of the training clips has no labels. Raise held_out_fraction."
            )
        return score

    def _head_config(self) -> HeadConfig:
        return HeadConfig(kind=self.config.head, width=self.width, num_classes=len(self.classes))


def _copied(embedder: Embedder) -> Embedder:
    return Embedder(
        copy.deepcopy(embedder.model),
        device=embedder.device,
        precision=embedder.precision,
        batch_size=embedder.batch_size,
    )

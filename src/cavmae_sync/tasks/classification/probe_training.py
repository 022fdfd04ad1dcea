"""Training of a probe: choose a learning rate, train on all clips, measure on the test clips, write it down.

Where the features come from is left to subclasses: a model (`probe_model`), or a file (`probe_feature_file`).

N clips, C classes.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.atomic import write_text
from cavmae_sync.choices import Precision
from cavmae_sync.data import balanced_weights, read_weights
from cavmae_sync.data.loading.split import split_by_file
from cavmae_sync.data.loading.targets import LabelledClips, class_names, label_vectors
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import DatasetError
from cavmae_sync.metrics.classification import classification_metrics, correct_shares
from cavmae_sync.model.heads import Head, HeadConfig, make_head
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationReport, classification_report
from cavmae_sync.tasks.classification.feature_sources import Changes
from cavmae_sync.tasks.classification.head_training import (
    EpochReport,
    FeatureSource,
    HeadTraining,
    predict_logits,
)
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.training import RunFolder
from cavmae_sync.training.run_log import RunLog

#: Shows how far a piece of work is: called with done, in all, and a note.
Advance = Callable[[int, int, str], None]
#: Opens such a display under a title.
Show = Callable[[str], AbstractContextManager[Advance]]
#: The two lists of clips.
Split = Literal["train", "test"]
#: Which weights of a training are measured: those of the last epoch, or their mean over several epochs.
Variant = Literal["last_epoch", "averaged"]


@contextmanager
def show_nothing(_title: str) -> Iterator[Advance]:
    """Display for programs: shows nothing."""
    yield lambda *_: None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainedHead:
    """Head after its training.

    Attributes:
        head: Features to logits.
        training: The training that made it.
        embedder: The model whose features it is fed; None where features are from a file.
    """

    head: Head
    training: HeadTraining
    embedder: Embedder | None

    def averaged(self) -> "TrainedHead | None":
        """Head with weights averaged over epochs; None where none were averaged."""
        if not self.training.head_average.count:
            return None
        head = copy.deepcopy(self.head)
        head.load_state_dict(self.training.head_average.mean())
        embedder = self.embedder
        if self.training.backbone is not None and embedder is not None:
            embedder = embedder.replace(model=copy.deepcopy(embedder.model))
            embedder.model.load_state_dict(self.training.backbone_average.mean())
        return TrainedHead(head=head, embedder=embedder, training=self.training)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ProbeResult:
    """Result of a probing or fine-tuning run.

    Attributes:
        reports: On the test clips: after the last epoch, and with averaged weights where epochs were
            averaged.
        probes: By the same names; empty for features from a file, which no model here could make again.
        learning_rate: Learning rate of the training.
        held_out_scores: Score of each learning rate on the held-out slice, after its last epoch: mean average
            precision, or accuracy for one label per clip. Empty where nothing was chosen.
    """

    reports: Mapping[Variant, ClassificationReport]
    probes: Mapping[Variant, Probe]
    learning_rate: float
    held_out_scores: Mapping[float, float]

    @property
    def report(self) -> ClassificationReport:
        """Report after the last epoch."""
        return self.reports["last_epoch"]


class ProbeTraining(ABC):
    """Training of heads on features of two lists of clips.

    Args:
        config: What runs.
        clips: Labelled clips to learn from, whose labels are the classes, and labelled clips to measure with.
        width: Width of a feature.
        embedder: The model whose features these are; None where they are from a file.
        device: Where heads are trained.
        precision: Precision of matrix products.
        show: Shows progress.
    """

    def __init__(
        self,
        config: ProbeConfig,
        clips: Mapping[Split, LabelledClips],
        *,
        width: int,
        embedder: Embedder | None,
        device: torch.device,
        precision: Precision,
        show: Show,
    ) -> None:
        self.config, self.clips, self.embedder = config, clips, embedder
        self.width, self.device, self.precision, self.show = width, device, precision, show
        self.classes = class_names(clips["train"])
        self.is_true_NC = {split: label_vectors(each, self.classes) for split, each in clips.items()}

    @abstractmethod
    def source(
        self, embedder: Embedder | None, split: Split, rows: Sequence[int], *, changes: Changes | None
    ) -> FeatureSource:
        """Features of some clips of a list; `changes` in training only."""

    @abstractmethod
    def fingerprint(self, trained: TrainedHead) -> str:
        """Fingerprint of the weights, or of the file, that features are from."""

    @abstractmethod
    def write(
        self, variant: Variant, trained: TrainedHead, report: ClassificationReport, *, out: Path
    ) -> Probe | None:
        """Write the report and, where it can be used again, the probe, into the folder of the run."""

    def run(self, out: Path, facts: Mapping[str, Any]) -> ProbeResult:
        """Choose a learning rate, train and measure; OUT gets config.json, metrics.jsonl and the reports.

        Args:
            out: Folder of the run.
            facts: What the reports say of the clips, besides the configuration.

        Raises:
            TrainingError: Another process is training in `out`.
        """
        with RunFolder(out).held():
            return self._run(out, facts)

    def _run(self, out: Path, facts: Mapping[str, Any]) -> ProbeResult:
        write_text(out / "config.json", self.config.model_dump_json(indent=2) + "\n")
        with RunLog(RunFolder(out), first_step=0) as log:
            scores = self._search(log)
            rate = max(scores, key=lambda each: scores[each]) if scores else self.config.optim.learning_rate
            trained = self._train_all(rate, log)
        made_with = {
            **self.config.model_dump(mode="json"),
            "learning_rate": rate,
            "held_out_scores": {f"{each:g}": score for each, score in scores.items()},
            **facts,
        }
        reports: dict[Variant, ClassificationReport] = {}
        probes: dict[Variant, Probe] = {}

        def finish(variant: Variant, weights: TrainedHead, weights_of: str) -> None:
            reports[variant] = self._measure(weights, {**made_with, "weights_of": weights_of})
            probe = self.write(variant, weights, reports[variant], out=out)
            if probe is not None:
                probes[variant] = probe

        averaged = trained.averaged()
        if averaged is not None:
            finish("averaged", averaged, f"mean of {averaged.training.head_average.count} epochs")
        # Last: after a kill, the files of the last epoch say that the run is complete.
        finish("last_epoch", trained, "last epoch")
        return ProbeResult(
            reports=dict(reversed(reports.items())),
            probes=dict(reversed(probes.items())),
            learning_rate=rate,
            held_out_scores=scores,
        )

    def head_config(self) -> HeadConfig:
        """Shape of the heads."""
        return HeadConfig(kind=self.config.head, width=self.width, num_classes=len(self.classes))

    def _measure(self, trained: TrainedHead, made_with: Mapping[str, Any]) -> ClassificationReport:
        source = self.source(trained.embedder, "test", range(len(self.clips["test"])), changes=None)
        return classification_report(
            self._logits(trained, source),
            self.is_true_NC["test"],
            self.config.report_config(),
            classes=self.classes,
            is_single_label=self.config.classifier.loss == "ce",
            made_with=made_with,
            weights=self.fingerprint(trained),
            clip_list=self.clips["test"].list_sha256,
        )

    def _search(self, log: RunLog) -> dict[float, float]:
        """The score of every learning rate on held-out training clips."""
        if self.config.learning_rates is None:
            return {}
        train, config = self.clips["train"], self.config
        rows = split_by_file(train, fraction=config.held_out_fraction, seed=config.seed)
        scores: dict[float, float] = {}
        for rate in self.config.learning_rates:

            def measure(report: EpochReport, trained: TrainedHead, rate: float = rate) -> None:
                source = self.source(trained.embedder, "train", rows.held_out, changes=None)
                is_true_NC = self.is_true_NC["train"][list(rows.held_out)]
                scores[rate] = self._score(self._logits(trained, source), is_true_NC)
                values = {"loss": report.loss, "held_out_score": scores[rate]}
                log.write(f"learning_rate_{rate:g}", step=report.epoch, values=values)

            self._train(rows.kept, rate, f"learning rate {rate:g} on held-out clips", measure)
        return scores

    def _train_all(self, rate: float, log: RunLog) -> TrainedHead:
        """Train on all training clips."""

        def write(report: EpochReport, _: TrainedHead) -> None:
            values = {"loss": report.loss, "learning_rate": report.learning_rate}
            log.write("train", step=report.epoch, values=values)

        rows = range(len(self.clips["train"]))
        return self._train(rows, rate, f"training with learning rate {rate:g}", write)

    def _train(
        self,
        rows: Sequence[int],
        rate: float,
        title: str,
        on_epoch: Callable[[EpochReport, TrainedHead], None],
    ) -> TrainedHead:
        config = self.config
        embedder, backbone = self.embedder, None
        if config.backbone == "trained" and embedder is not None:
            embedder = embedder.replace(model=copy.deepcopy(embedder.model))
            backbone = embedder.model
        changes = Changes(
            augment=config.augment, smoothing=config.classifier.label_smoothing, seed=config.seed
        )
        # The same fresh head for every learning rate, so that they differ in nothing else.
        head = make_head(self.head_config(), generator=torch.Generator().manual_seed(config.seed))
        head.to(self.device)
        training = HeadTraining(
            config.classifier,
            config.optim.model_copy(update={"learning_rate": rate}),
            head=head,
            source=self.source(embedder, "train", rows, changes=changes),
            backbone=backbone,
            weights_N=self._weights(rows),
            seed=config.seed,
            precision=self.precision,
        )
        trained = TrainedHead(head=head, embedder=embedder, training=training)
        with self.show(title) as advance:
            training.run(
                lambda report: on_epoch(report, trained),
                on_step=lambda done, total: advance(done, total, ""),
            )
        return trained

    def _weights(self, rows: Sequence[int]) -> NDArray[np.float64] | None:
        if not self.config.classifier.is_balanced:
            return None
        file, labels = self.config.classifier.weights_file, self.clips["train"].labels
        if file is not None:
            return read_weights(file, num_clips=len(labels))[list(rows)]
        return balanced_weights([labels[row] for row in rows])

    def _logits(self, trained: TrainedHead, source: FeatureSource) -> Tensor:
        return predict_logits(
            trained.head, source, batch_size=self.config.classifier.batch_size, precision=self.precision
        )

    def _score(self, logits_NC: Tensor, is_true_NC: Tensor) -> float:
        if self.config.classifier.loss == "ce":
            return float(correct_shares(logits_NC, is_true_NC).mean())
        score = classification_metrics(logits_NC, is_true_NC).mean_average_precision
        if score is None:
            raise DatasetError(
                "The held-out slice of the training clips has no labels, so no learning rate can be chosen. "
                "Raise held_out_fraction."
            )
        return score

"""Training and measuring heads on two lists of clips, wherever their features are from.

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
from cavmae_sync.tasks.classification.evaluate import ClassificationReport, classification_report
from cavmae_sync.tasks.classification.feature_sources import Changes
from cavmae_sync.tasks.classification.head_training import (
    ClassifierTraining,
    EpochReport,
    FeatureSource,
    predict_logits,
)
from cavmae_sync.tasks.classification.probe_config import ProbeConfig
from cavmae_sync.training import RunFolder
from cavmae_sync.training.run_log import RunLog

#: Shows how far something is: called with done, in all, and a note.
Advance = Callable[[int, int, str], None]
#: Opens such a display under a title.
Show = Callable[[str], AbstractContextManager[Advance]]
#: The two lists.
Split = Literal["train", "test"]


@contextmanager
def show_nothing(_title: str) -> Iterator[Advance]:
    """For programs."""
    yield lambda *_: None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trained:
    """A head that was trained.

    Attributes:
        head: Features to logits.
        training: How.
        embedder: The model under it; None where features are from a file.
    """

    head: Head
    training: ClassifierTraining
    embedder: Embedder | None

    def averaged(self) -> "Trained | None":
        """The same with averaged weights, where epochs were averaged."""
        if not self.training.head_average.count:
            return None
        head = copy.deepcopy(self.head)
        head.load_state_dict(self.training.head_average.mean())
        embedder = self.embedder
        if self.training.backbone is not None and embedder is not None:
            embedder = copied(embedder)
            embedder.model.load_state_dict(self.training.backbone_average.mean())
        return Trained(head=head, embedder=embedder, training=self.training)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """What training gave.

    Attributes:
        trained: The head of the last epoch.
        learning_rate: That was trained with.
        held_out_scores: Of each learning rate that was tried.
        chosen: Everything that was chosen, as JSON values.
    """

    trained: Trained
    learning_rate: float
    held_out_scores: Mapping[float, float]
    chosen: Mapping[str, Any]


class Bench(ABC):
    """One configuration, two lists of clips, and features of a width. Subclasses say where they are from.

    Args:
        config: What runs.
        train: Labelled clips to learn from.
        test: Labelled clips to measure with.
        width: Width of a feature.
        device: Where heads are trained.
        precision: Of matrix products.
    """

    num_workers = 0
    show: Show = staticmethod(show_nothing)
    #: The model whose features these are; None where they are from a file.
    embedder: Embedder | None = None

    def __init__(
        self,
        config: ProbeConfig,
        train: LabelledClips,
        test: LabelledClips,
        *,
        width: int,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.config, self.clips = config, {"train": train, "test": test}
        self.width, self.device, self.precision = width, device, precision
        self.classes = class_names(train)
        self.is_true_NC = {split: label_vectors(clips, self.classes) for split, clips in self.clips.items()}

    @abstractmethod
    def source(
        self, embedder: Embedder | None, split: Split, rows: Sequence[int], *, changes: Changes | None
    ) -> FeatureSource:
        """Some clips of a list; `changes` in training only."""

    @abstractmethod
    def fingerprint(self, trained: Trained) -> str:
        """Of the weights or the file that features are from."""

    def run(self, out: Path, about: Mapping[str, Any]) -> Outcome:
        """Choose a learning rate, train, and write config.json and metrics.jsonl.

        Args:
            out: Folder of the run.
            about: More of what was chosen, for the reports.
        """
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "config.json", self.config.model_dump_json(indent=2) + "\n")
        with RunLog(RunFolder(out), first_step=0) as log:
            scores = self._search(log)
            rate = max(scores, key=lambda each: scores[each]) if scores else self.config.optim.learning_rate
            trained = self._train_all(rate, log)
        chosen = {
            **self.config.model_dump(mode="json"),
            "learning_rate": rate,
            "held_out_scores": {f"{each:g}": score for each, score in scores.items()},
            **about,
        }
        return Outcome(trained=trained, learning_rate=rate, held_out_scores=scores, chosen=chosen)

    def measure(self, trained: Trained, about: Mapping[str, Any]) -> ClassificationReport:
        """The report of a head on the test clips."""
        source = self.source(trained.embedder, "test", range(len(self.clips["test"])), changes=None)
        return classification_report(
            self._logits(trained, source),
            self.is_true_NC["test"],
            self.config.report_config(),
            classes=self.classes,
            is_single_label=self.config.classifier.loss == "ce",
            made_with=about,
            weights=self.fingerprint(trained),
            clip_list=self.clips["test"].list_sha256,
        )

    def head_config(self) -> HeadConfig:
        """Shape of the heads."""
        return HeadConfig(kind=self.config.head, width=self.width, num_classes=len(self.classes))

    def _search(self, log: RunLog) -> dict[float, float]:
        """The score of every learning rate on held-out training clips."""
        if self.config.learning_rates is None:
            return {}
        train, config = self.clips["train"], self.config
        rows = split_by_file(train, fraction=config.held_out_fraction, seed=config.seed)
        scores: dict[float, float] = {}
        for rate in self.config.learning_rates:

            def measure(report: EpochReport, trained: Trained, rate: float = rate) -> None:
                source = self.source(trained.embedder, "train", rows.held_out, changes=None)
                is_true_NC = self.is_true_NC["train"][list(rows.held_out)]
                scores[rate] = self._score(self._logits(trained, source), is_true_NC)
                values = {"loss": report.loss, "held_out_score": scores[rate]}
                log.write(f"learning_rate_{rate:g}", step=report.epoch, values=values)

            self._train(rows.kept, rate, f"learning rate {rate:g} on held-out clips", measure)
        return scores

    def _train_all(self, rate: float, log: RunLog) -> Trained:
        """Train on all training clips."""

        def write(report: EpochReport, _: Trained) -> None:
            values = {"loss": report.loss, "learning_rate": report.learning_rate}
            log.write("train", step=report.epoch, values=values)

        rows = range(len(self.clips["train"]))
        return self._train(rows, rate, f"training with learning rate {rate:g}", write)

    def _train(
        self,
        rows: Sequence[int],
        rate: float,
        title: str,
        on_epoch: Callable[[EpochReport, Trained], None],
    ) -> Trained:
        config = self.config
        is_trained = config.backbone == "trained" and self.embedder is not None
        embedder = copied(self.embedder) if is_trained and self.embedder is not None else self.embedder
        changes = Changes(
            augment=config.augment, smoothing=config.classifier.label_smoothing, seed=config.seed
        )
        head = make_head(self.head_config(), generator=torch.Generator().manual_seed(config.seed))
        head.to(self.device)
        training = ClassifierTraining(
            config.classifier,
            config.optim.model_copy(update={"learning_rate": rate}),
            head=head,
            source=self.source(embedder, "train", rows, changes=changes),
            backbone=embedder.model if is_trained and embedder is not None else None,
            weights_N=self._weights(rows),
            seed=config.seed,
            precision=self.precision,
        )
        trained = Trained(head=head, embedder=embedder, training=training)
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

    def _logits(self, trained: Trained, source: FeatureSource) -> Tensor:
        return predict_logits(
            trained.head, source, batch_size=self.config.classifier.batch_size, precision=self.precision
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


def copied(embedder: Embedder) -> Embedder:
    """The same with a model of its own, to be trained."""
    return embedder.replace(copy.deepcopy(embedder.model))

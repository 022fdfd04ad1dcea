"""Checks of a probing run before anything is computed; all problems are reported together."""

from pathlib import Path

from cavmae_sync.audit.overlap import check_apart, shared_clips
from cavmae_sync.checks import Checks
from cavmae_sync.data import PreparedDataset, read_weights
from cavmae_sync.data.loading.split import split_by_file
from cavmae_sync.data.loading.targets import LabelledClips, class_names, label_vectors
from cavmae_sync.errors import ConfigError, TrainingError
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.classification.probe import PROBE_FILE


def check_probing(
    config: ProbeConfig | None,
    *,
    train: PreparedDataset | None,
    test: PreparedDataset | None,
    out: Path,
    allow_overlap: bool = False,
) -> None:
    """Refuse what cannot be trained or measured. Only tables are read.

    Args:
        config: Configuration of the run; None where it is wrong itself, so that the rest is checked all the
            same.
        train: Clips to learn from; None where they cannot be opened.
        test: Clips to measure with; None where they cannot be opened.
        out: Folder of the run.
        allow_overlap: Measure also on test clips that are training clips.

    Raises:
        TrainingError: `out` holds a probe.
        DatasetError: Clips have no labels, test clips have labels that training clips do not have or are
            training clips (the same file or sound), there are too few to hold some out, or weights do not
            fit.
        ConfigError: Loss and labels do not fit.
        SeveralError: Several of these.
    """
    checks = Checks()
    checks.collect(lambda: _check_free(out))
    checks.collect(lambda: check_labels(config, train=train, test=test))
    if train is not None and test is not None and not allow_overlap and shared_clips(test, train):
        checks.collect(lambda: check_apart(test, train))
    checks.raise_errors()


def check_labels(
    config: ProbeConfig | None, *, train: LabelledClips | None, test: LabelledClips | None
) -> None:
    """Refuse labels, classes and weights that do not fit together; see `check_probing`."""
    checks = Checks()
    classes = None if train is None else checks.collect(lambda: class_names(train))
    if test is not None:
        checks.collect(lambda: class_names(test) if classes is None else label_vectors(test, classes))
    if config is not None:
        for clips in (train, test):
            if clips is not None and config.classifier.loss == "ce":
                checks.collect(lambda clips=clips: _check_single(clips))
        if train is not None:
            checks.collect(lambda: _check_training(config, train))
    checks.raise_errors()


def _check_free(out: Path) -> None:
    if (out / PROBE_FILE).exists():
        raise TrainingError(f"{out} already holds a probe. Choose another --out, or delete it.")


def _check_single(clips: LabelledClips) -> None:
    labels = clips.labels
    several = [row for row, names in enumerate(labels) if len(names) > 1]
    if several:
        raise ConfigError(
            f"classifier.loss=ce needs one class per clip, but {len(several)} of {len(clips)} clips of "
            f"{clips.folder} have several labels ({clips.clip_ids[several[0]]} has "
            f"{', '.join(labels[several[0]])}). Use classifier.loss=bce."
        )


def _check_training(config: ProbeConfig, train: LabelledClips) -> None:
    if config.learning_rates is not None:
        split_by_file(train, fraction=config.held_out_fraction, seed=config.seed)
    if config.classifier.is_balanced and config.classifier.weights_file is not None:
        read_weights(config.classifier.weights_file, num_clips=len(train))

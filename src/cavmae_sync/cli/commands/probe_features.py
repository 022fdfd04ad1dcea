"""`cavmae-sync probe --features FILE`: a classifier on features that any model made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.choices import Precision
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.tasks.classification.config import ProbeConfig
    from cavmae_sync.tasks.classification.evaluate import ClassificationReport

_SUFFIXES = (".npz", ".parquet")


def is_file_of_features(path: Path) -> bool:
    """Whether --features names a file, there or not, and no folder."""
    return not path.is_dir() and (path.is_file() or path.suffix.lower() in _SUFFIXES)


def refuse_model_options(
    words: Sequence[str], *, precision: Precision, num_shards: int, num_workers: int | None
) -> None:
    """Refuse what needs a model where the features are made.

    Raises:
        ConfigError: A model, or an option for one.
    """
    models = [word for word in words if "=" not in word or word.startswith("model.")]
    if models:
        raise ConfigError(
            f"either a model ({models[0]}) or --features FILE, not both: features of a file are made already."
        )
    given = {
        "--precision": precision != "float32",
        "--num-shards": num_shards > 1,
        "--num-workers": bool(num_workers),
    }
    if odd := [name for name, is_given in given.items() if is_given]:
        raise ConfigError(f"{', '.join(odd)} cannot be used with --features FILE: the features are made.")


def probe_features(
    path: Path,
    config: "ProbeConfig",
    *,
    train: Path | None,
    test: Path | None,
    out: Path,
    allow_overlap: bool,
    device: str | None,
    with_controls: bool,
) -> "tuple[Mapping[str, ClassificationReport], float, Mapping[float, float]]":
    """Reports by name, the learning rate, and the scores by which it was chosen."""
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.tasks.classification.controls import begin_again, control_reports
    from cavmae_sync.tasks.classification.feature_files import open_features
    from cavmae_sync.tasks.classification.probe_feature_file import (
        REPORT_FILE,
        check_config,
        check_free,
        probe_feature_file,
        shuffled,
    )

    check_config(config)
    given = open_features(
        path,
        train=None if train is None else PreparedDataset.open(train),
        test=None if test is None else PreparedDataset.open(test),
        allow_overlap=allow_overlap,
    )
    check_free(out)
    shared = {"device": device, "show": show_progress}
    controls: dict[str, ClassificationReport] = {}
    if with_controls:  # first: a kill after OUT has its report would leave it without them
        place = out / "shuffled"
        begin_again(place, config, last_file=REPORT_FILE)
        spoilt = probe_feature_file(shuffled(given, seed=config.seed), config, out=place, **shared)
        controls["shuffled"] = spoilt.reports["last_epoch"]
        controls |= control_reports(config, train=given.train, test=given.test)
    done = probe_feature_file(given, config, out=out, **shared)
    return {**done.reports, **controls}, done.learning_rate, done.held_out_scores

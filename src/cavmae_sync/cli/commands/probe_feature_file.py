"""`cavmae-sync probe --features FILE`: a classifier on features that any model made."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.cli.commands.probe_model import ProbeDatasets
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.words import configure
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.cli.commands.probe_model import ProbeResult
    from cavmae_sync.tasks.classification.evaluate import ClassificationReport

_SUFFIXES = (".npz", ".parquet")


def is_feature_file(path: Path) -> bool:
    """Whether --features names a file, existing or not, and not a folder."""
    return not path.is_dir() and (path.is_file() or path.suffix.lower() in _SUFFIXES)


def probe_feature_file(
    path: Path,
    words: Sequence[str],
    datasets: ProbeDatasets,
    *,
    recipe: str,
    out: Path,
    device: str | None,
    with_controls: bool,
) -> "ProbeResult":
    """Train and measure a classifier on the features of a file, and its controls; arguments as of `probe`."""
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.recipes.probing import find_probe_recipe
    from cavmae_sync.tasks.classification.controls import begin_again, control_reports
    from cavmae_sync.tasks.classification.feature_files import open_features
    from cavmae_sync.tasks.classification.probe_feature_file import (
        REPORT_FILE,
        check_config,
        check_free,
        shuffled,
    )
    from cavmae_sync.tasks.classification.probe_feature_file import probe_feature_file as run_probe

    config, for_model = configure(find_probe_recipe(recipe), words)
    if for_model:
        raise ConfigError(f"model.{for_model[0]} is for a model, and --features FILE has none. Leave it out.")
    check_config(config)
    given = open_features(
        path,
        train=None if datasets.train is None else PreparedDataset.open(datasets.train),
        test=None if datasets.test is None else PreparedDataset.open(datasets.test),
        allow_overlap=datasets.allow_overlap,
    )
    check_free(out)
    shared = {"device": device, "show": show_progress}
    controls: dict[str, ClassificationReport] = {}
    if with_controls:  # first: a kill after OUT has its report would leave it without them
        place = out / "shuffled"
        begin_again(place, config, last_file=REPORT_FILE)
        control = run_probe(shuffled(given, seed=config.seed), config, out=place, **shared)
        controls["shuffled"] = control.reports["last_epoch"]
        controls |= control_reports(config, train=given.train, test=given.test)
    done = run_probe(given, config, out=out, **shared)
    return {**done.reports, **controls}, done.learning_rate, done.held_out_scores

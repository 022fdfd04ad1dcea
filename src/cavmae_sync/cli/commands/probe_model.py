"""`cavmae-sync probe MODEL`: a classifier on a model's features, or a fine-tuned model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from cavmae_sync.checks import Checks
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import ComputeOptions, ShardOptions, Switch
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import print_json, print_line
from cavmae_sync.cli.words import configure
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks.classification.config import ProbeConfig
    from cavmae_sync.tasks.classification.evaluate import ClassificationReport

    #: Reports by name, the learning rate, and the scores by which it was chosen.
    ProbeResult = tuple[Mapping[str, ClassificationReport], float, Mapping[float, float]]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeDatasets:
    """Clips to learn from and to measure with.

    Attributes:
        train: Prepared dataset to learn from; a file of features may name its training clips itself.
        test: Prepared dataset to measure with.
        allow_overlap: Measure also on test clips that are among the training clips (compared by content).
    """

    train: Path | None = None
    test: Path | None = None
    allow_overlap: Switch = False


@dataclass(frozen=True, kw_only=True)
class ModelProbe:
    """A model to probe, with everything that is needed for it.

    Attributes:
        config: The complete configuration.
        embedder: The model.
        weights: Its weights file.
        clips: Datasets by split, train and test.
        allow_overlap: Whether a test clip may be a training clip too.
        features: Folder where features are kept.
        num_workers: Processes that read clips.
    """

    config: "ProbeConfig"
    embedder: "Embedder"
    weights: Path
    clips: "Mapping[str, PreparedDataset]"
    allow_overlap: bool
    features: Path
    num_workers: int

    def run(self, out: Path, *, with_controls: bool) -> "ProbeResult":
        """Train and measure the classifier, and its controls."""
        from cavmae_sync.tasks import untrained
        from cavmae_sync.tasks.classification.controls import begin_again, control_reports
        from cavmae_sync.tasks.classification.probe import PROBE_FILE
        from cavmae_sync.tasks.classification.probe_model import probe_model

        settings = self._settings() | {"allow_overlap": self.allow_overlap}
        controls: dict[str, ClassificationReport] = {}
        if with_controls:  # first: a kill after OUT has its probe would leave it without them
            place = out / "untrained"
            begin_again(place, self.config, last_file=PROBE_FILE)
            fresh = untrained(self.embedder, seed=self.config.seed)
            control = probe_model(fresh, self.config, out=place, model_path=None, **settings)
            controls = {"untrained": control.report, **control_reports(self.config, **self.clips)}
        result = probe_model(self.embedder, self.config, out=out, model_path=self.weights, **settings)
        return {**result.reports, **controls}, result.learning_rate, result.held_out_scores

    def compute_share(self, shards: ShardOptions, *, as_json: bool) -> None:
        """Compute this machine's share of the features, and say whether all shares are there."""
        from cavmae_sync.tasks.classification.probe_model import cache_probe_share

        is_complete = cache_probe_share(self.embedder, self.config, share=shards.share(), **self._settings())
        if as_json:
            print_json({"features": str(self.features), "is_complete": is_complete}, indent=None)
        elif is_complete:
            print_line(
                f"{self.features} is complete. Train with the same command without --shard-index and "
                "--num-shards."
            )
        else:
            print_line(f"The features of this share are in {self.features}. Other shares are missing.")

    def _settings(self) -> dict[str, Any]:
        return {
            **self.clips,
            "features": self.features,
            "num_workers": self.num_workers,
            "show": show_progress,
        }


def open_model_probe(
    run_or_weights: Path | None,
    words: Sequence[str],
    datasets: ProbeDatasets,
    *,
    recipe: str,
    out: Path | None,
    compute: ComputeOptions,
    **settings: Any,
) -> ModelProbe:
    """Open everything that a probe of a model needs, or raise all that is wrong with it at once.

    Args:
        run_or_weights: The model.
        words: `key=value` words for the probe and the model.
        datasets: Clips to learn from and to measure with.
        recipe: Name of the configuration.
        out: Folder of the probe; None where only features are computed.
        compute: How the model computes.
        settings: Further fields of `ModelProbe`.

    Raises:
        ConfigError: One thing is wrong or missing.
        SeveralError: Several things are.
    """
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.recipes.probing import find_probe_recipe
    from cavmae_sync.tasks.classification.checks import check_probing
    from cavmae_sync.weights import find_weights

    if run_or_weights is None or datasets.train is None or datasets.test is None:
        raise ConfigError(
            "Name a run or weights, --train and --test; or give --features FILE, features in an .npz or "
            "Parquet file."
        )
    checks, allow_overlap = Checks(), datasets.allow_overlap
    configured = checks.collect(lambda: configure(find_probe_recipe(recipe), words))
    config, for_model = configured or (None, ())
    clips = {
        split: checks.collect(lambda path=path: PreparedDataset.open(path))
        for split, path in {"train": datasets.train, "test": datasets.test}.items()
    }
    if out is not None:
        checks.collect(lambda: check_probing(config, out=out, allow_overlap=allow_overlap, **clips))
    # Found once and handed on: a name on a hub may mean other weights tomorrow.
    weights = checks.collect(lambda: find_weights(run_or_weights))
    embedder = None
    if weights is not None:
        embedder = checks.collect(lambda: open_embedder(weights, for_model, compute))
    checks.raise_errors()
    assert config is not None  # or the checks had raised
    assert embedder is not None
    assert weights is not None
    opened = {split: each for split, each in clips.items() if each is not None}
    return ModelProbe(
        config=config,
        embedder=embedder,
        weights=weights,
        clips=opened,
        allow_overlap=allow_overlap,
        **settings,
    )

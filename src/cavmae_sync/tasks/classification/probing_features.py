"""The features that a probe learns from, computed by several machines beforehand."""

from functools import partial
from pathlib import Path

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.tasks.classification.feature_cache import cache_share
from cavmae_sync.tasks.classification.probe_config import ProbeConfig
from cavmae_sync.tasks.classification.probing_bench import Advance, Show
from cavmae_sync.work import Share


def cache_probing_share(
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
    """Compute one machine's share of the features that `run_probing` with the same arguments will find.

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
                    on_progress=partial(_advance, advance),
                )
            )
    return all(are_complete)


def _advance(advance: Advance, done: int, total: int) -> None:
    advance(done, total, "")

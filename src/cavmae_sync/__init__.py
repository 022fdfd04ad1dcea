"""CAV-MAE Sync: embeddings of the frames and the sound of videos, learned without labels, frame by frame.

The path of a video, which is also the order of the folders:

    video file ──media──> Clip ──inputs──> frames and log-mel segments, one centred on each frame
        ──data──> prepared dataset, batches ──model──> tokens ──losses, training──> weights
        ──embedding──> ClipEmbedding ──metrics, tasks──> Report

Names are loaded when first used, so importing the package is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cavmae_sync.data import PreparedDataset, prepare
    from cavmae_sync.embedding import ClipEmbedding, Embedder
    from cavmae_sync.errors import CavMaeSyncError
    from cavmae_sync.inputs import log_mel
    from cavmae_sync.losses import PretrainLosses, pretrain_losses
    from cavmae_sync.media import Clip, read_clip
    from cavmae_sync.model import CAVMAESync, Mask, ModelConfig
    from cavmae_sync.recipes import find_recipe, run_pretraining
    from cavmae_sync.tasks import Report
    from cavmae_sync.tasks.retrieval import evaluate_retrieval
    from cavmae_sync.training import PretrainConfig
    from cavmae_sync.weights import load_model, save_model

__all__ = [
    "CAVMAESync",
    "CavMaeSyncError",
    "Clip",
    "ClipEmbedding",
    "Embedder",
    "Mask",
    "ModelConfig",
    "PreparedDataset",
    "PretrainConfig",
    "PretrainLosses",
    "Report",
    "evaluate_retrieval",
    "find_recipe",
    "load_model",
    "log_mel",
    "prepare",
    "pretrain_losses",
    "read_clip",
    "run_pretraining",
    "save_model",
]

_FOLDERS = {
    "data": ("PreparedDataset", "prepare"),
    "embedding": ("ClipEmbedding", "Embedder"),
    "errors": ("CavMaeSyncError",),
    "inputs": ("log_mel",),
    "losses": ("PretrainLosses", "pretrain_losses"),
    "media": ("Clip", "read_clip"),
    "model": ("CAVMAESync", "Mask", "ModelConfig"),
    "recipes": ("find_recipe", "run_pretraining"),
    "tasks": ("Report",),
    "tasks.retrieval": ("evaluate_retrieval",),
    "training": ("PretrainConfig",),
    "weights": ("load_model", "save_model"),
}
_HOMES = {name: folder for folder, names in _FOLDERS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cavmae_sync' has no attribute {name!r}")
    return getattr(import_module(f"cavmae_sync.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

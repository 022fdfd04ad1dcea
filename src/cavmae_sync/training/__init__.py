"""The loop: batches, masks, losses, updates, checkpoints."""

from cavmae_sync.training.auto_values import check_can_compile, is_resolved_from, resolve_auto
from cavmae_sync.training.callbacks import Callbacks, Evaluator, FigureMaker, StepReport
from cavmae_sync.training.config import LearningRateRamp, LoopConfig, OptimConfig, PretrainConfig
from cavmae_sync.training.distributed import World, open_world
from cavmae_sync.training.masks import MaskSampler, StepMasks
from cavmae_sync.training.pretrain import Pretraining
from cavmae_sync.training.run_folder import (
    RunFolder,
    load_run_or_weights,
    read_config,
    training_data,
    weights_of,
)
from cavmae_sync.training.run_log import read_metrics
from cavmae_sync.training.schedule import learning_rate_at
from cavmae_sync.training.step import PretrainStep

__all__ = [
    "Callbacks",
    "Evaluator",
    "FigureMaker",
    "LearningRateRamp",
    "LoopConfig",
    "MaskSampler",
    "OptimConfig",
    "PretrainConfig",
    "PretrainStep",
    "Pretraining",
    "RunFolder",
    "StepMasks",
    "StepReport",
    "World",
    "check_can_compile",
    "is_resolved_from",
    "learning_rate_at",
    "load_run_or_weights",
    "open_world",
    "read_config",
    "read_metrics",
    "resolve_auto",
    "training_data",
    "weights_of",
]

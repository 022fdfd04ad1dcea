"""Pretraining: batches of clips in, weights, checkpoints and a log out.

config          everything that decides a run, as one value
compiling       whether blocks are compiled
auto_values     what "auto" in it means on this machine
run_folder      files of a run
run_log         rows of metrics.jsonl, and TensorBoard
checkpoints     checkpoints and weights, written while the run goes on
pretrain        the loop: steps, log, validation, checkpoints
readers         processes that read clips, and frames in memory
step_rows       losses of steps, left on the device until they are read together
passes          forward and backward passes of a step, part by part
step            what one step computes, as one module
masks           patches hidden in a step, by seed and number
device_batches  batches on the device, the next one copied ahead
gradient_cache  a whole batch compared in the memory of one part
optim           the optimiser and one update
weight_average  average of the weights, which a run gives away in their place
schedule        the learning rate at every step
validation      losses of held-out clips
log_interval    means and speed between two rows of the log
callbacks       functions that a caller gives to a run
run_checks      checks before the first step
distributed     several processes as one
sharding        parameters shared out over processes
"""

from cavmae_sync.training.auto_values import (
    describe_arithmetic,
    is_resolved_from,
    resolve_auto,
    resolve_by_device,
    training_products_in,
)
from cavmae_sync.training.callbacks import Callbacks, Evaluator, FigureMaker, SharedEvaluator, StepReport
from cavmae_sync.training.compiling import check_can_compile
from cavmae_sync.training.config import LearningRateRamp, LoopConfig, OptimConfig, PretrainConfig
from cavmae_sync.training.distributed import World, open_world
from cavmae_sync.training.masks import MaskedBatch, MaskedPairs, MaskSampler, StepMasks
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
    "MaskedBatch",
    "MaskedPairs",
    "OptimConfig",
    "PretrainConfig",
    "PretrainStep",
    "Pretraining",
    "RunFolder",
    "SharedEvaluator",
    "StepMasks",
    "StepReport",
    "World",
    "check_can_compile",
    "describe_arithmetic",
    "is_resolved_from",
    "learning_rate_at",
    "load_run_or_weights",
    "open_world",
    "read_config",
    "read_metrics",
    "resolve_auto",
    "resolve_by_device",
    "training_data",
    "training_products_in",
    "weights_of",
]

"""Learning rate at every step, as a pure function."""

import math
from collections.abc import Sequence

from cavmae_sync.training.config import LearningRateRamp, OptimConfig


def learning_rate_at(step: int, *, config: OptimConfig, num_steps: int, steps_per_epoch: int) -> float:
    """Learning rate of update number `step`, counted from 0.

    Args:
        step: Updates made before this one.
        config: Peak, kind of schedule and its settings.
        num_steps: Updates of the whole run.
        steps_per_epoch: Updates of one epoch, for "multistep".

    Source:
        Code: dev, `CosineWarmupScheduler`. The length of the warm-up is not rounded, as there, so its last
        value may exceed the peak by less than 0.01 %.
    """
    if config.schedule == "multistep":
        epochs_done = step // steps_per_epoch
        lowered = (epochs_done - config.multistep_first_epoch) // config.multistep_every_epochs + 1
        return config.learning_rate * config.multistep_factor ** max(0, lowered)
    if config.schedule == "pieces":
        return config.learning_rate * _factor_of_pieces(step + 1, config.pieces)
    warmup_steps = config.warmup_fraction * num_steps
    if step < warmup_steps:
        return config.learning_rate * (step + 1) / warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    final = config.learning_rate * config.final_fraction
    if step > num_steps:
        return final
    angle = math.pi * (step - warmup_steps) / (num_steps - warmup_steps)
    return final + (1 + math.cos(angle)) / 2 * (config.learning_rate - final)


def _factor_of_pieces(update: int, pieces: Sequence[LearningRateRamp]) -> float:
    """Learning rate over the peak at an update counted from 1.

    Later pieces change nothing before their start, to the last bit: a run that adds one can be repeated.
    """
    factor = 0.0
    ends = [piece.after_step for piece in pieces[1:]]
    for piece, end in zip(pieces, [*ends, update], strict=True):
        last = min(update, end, piece.until_step)
        part = (last - piece.after_step) / (piece.until_step - piece.after_step)
        factor += max(part, 0.0) * (piece.factor - factor)
    return factor

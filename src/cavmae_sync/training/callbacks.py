"""Functions that a run calls while it trains: training knows who measures, draws and prints only by them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.model import CAVMAESync
from cavmae_sync.training.distributed import World

#: Measures a model: numbers by name, for example retrieval on held-out clips.
Evaluator = Callable[[CAVMAESync], Mapping[str, float]]
#: Measures a model by all processes together: called in each with its place among them. The numbers of the
#: main process are logged; the others may give none.
SharedEvaluator = Callable[[CAVMAESync, World], Mapping[str, float]]
#: Draws what a model does: a uint8 HWC image, for example a panel of reconstructions.
FigureMaker = Callable[[CAVMAESync], NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """State of a run after a step.

    Attributes:
        step: Updates made.
        num_steps: Updates of the whole run.
        epoch: Passes over the clips that are complete.
        total_loss: Weighted sum of the losses in the newest step that was read (`loop.read_every_steps`).
        clips_per_second: Speed since the last row of the log.
        waiting_fraction: Part of that time, in [0, 1], in which training waited for clips.
    """

    step: int
    num_steps: int
    epoch: int
    total_loss: float
    clips_per_second: float
    waiting_fraction: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Callbacks:
    """Functions that a run calls.

    Attributes:
        evaluators: Called at each validation, in the main process; the name becomes the kind of the log row.
        shared_evaluators: The same, called in every process at the same time.
        figures: Called at each validation, in the main process; drawn for TensorBoard.
        on_start: Called before the first step, in the main process, with a line that says how it computes.
        on_step: Called after each step, in the main process.
        should_stop: Called after each step, in every process; True saves a checkpoint and ends the run early,
            after the next step that is read.
    """

    evaluators: Mapping[str, Evaluator] = field(default_factory=dict)
    shared_evaluators: Mapping[str, SharedEvaluator] = field(default_factory=dict)
    figures: Mapping[str, FigureMaker] = field(default_factory=dict)
    on_start: Callable[[str], None] = lambda _: None
    on_step: Callable[[StepReport], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False

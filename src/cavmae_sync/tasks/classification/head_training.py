"""Training of a head: the one loop for stored features, features computed anew, and fine-tuning.

B clips of a batch, N clips, T frames per clip, D width of a feature, C classes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.choices import ClassLoss, Precision
from cavmae_sync.compute import inference_products_in, matrix_products_in, training_precision
from cavmae_sync.data import ClipOrder, ClipSampler, Draw
from cavmae_sync.errors import NonFiniteLossError, TrainingError
from cavmae_sync.tasks.classification.config import ClassifierConfig
from cavmae_sync.training.config import OptimConfig
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.schedule import learning_rate_at


class WeightAverage:
    """Arithmetic mean of state dicts, summed in float64 on the CPU. Integers are those of the last one.

    Source:
        The development code's weight averaging.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[str, Tensor] = {}
        self._last: dict[str, Tensor] = {}

    def add(self, state: Mapping[str, Tensor]) -> None:
        """Add one more state, with the same names as those before."""
        self.count += 1
        self._last = {name: value.detach().cpu().clone() for name, value in state.items()}
        for name, value in self._last.items():
            if value.is_floating_point():
                total = self._sums.get(name)
                self._sums[name] = value.double() if total is None else total + value.double()

    def mean(self) -> dict[str, Tensor]:
        """Mean, each tensor in its own dtype.

        Raises:
            ValueError: Nothing was added.
        """
        if not self.count:
            raise ValueError("No weights were added, so there is no mean of weights. Add a state first.")
        means = {name: (total / self.count).to(self._last[name].dtype) for name, total in self._sums.items()}
        return self._last | means


_ADVICE: Final = "Lower the learning rate, or use float32."


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledFeatures:
    """Features and targets of a batch, on the device of the head.

    Attributes:
        features_BTD: float32, with gradients where the backbone is trained.
        targets_BC: float32, smoothed and mixed where the source does so.
    """

    features_BTD: Tensor
    targets_BC: Tensor


class FeatureSource(Protocol):
    """Source of features: files, or a model."""

    @property
    def num_clips(self) -> int:
        """Number of clips that may be drawn."""
        ...

    def batches(self, draws: Iterable[list[Draw]]) -> Iterator[LabelledFeatures]:
        """Features and targets of each list of draws, in order."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """Progress of training after an epoch.

    Attributes:
        epoch: Epochs done.
        num_epochs: Epochs in all.
        loss: Mean over the steps of the epoch.
        learning_rate: Learning rate of the last step; that of the backbone where it is trained.
    """

    epoch: int
    num_epochs: int
    loss: float
    learning_rate: float


class HeadTraining:
    """Training of a head, and of the model under it where one is given. Everything follows from the seed.

    Without `backbone` the model is not changed: its parameters are in no group of the optimiser.

    Args:
        config: Loss and length.
        optim: Optimiser and learning rate.
        head: Features to logits, on its device. All of it is trained; the published code froze most of it by
            mistake (docs/paper-vs-code.md, defect 20).
        source: Clips to learn from.
        backbone: The model that computes the features of `source`, to be trained as well.
        weights_N: Weight of each clip in sampling; None takes each clip once per epoch.
        seed: Seed of the order.
        precision: Precision of the matrix products, also of `source`.

    Raises:
        TrainingError: There are fewer clips than a step needs.
        ConfigError: The precision is int8, in which nothing can be trained.

    Source:
        Paper Table 2, settings from the development code; fine-tuning from CAV-MAE's scripts.
    """

    def __init__(
        self,
        config: ClassifierConfig,
        optim: OptimConfig,
        *,
        head: nn.Module,
        source: FeatureSource,
        backbone: nn.Module | None = None,
        weights_N: NDArray[np.float64] | None = None,
        seed: int,
        precision: Precision = "float32",
    ) -> None:
        if source.num_clips < config.batch_size:
            raise TrainingError(
                f"There are {source.num_clips} clips to train a classifier on, a step needs batch_size="
                f"{config.batch_size}. Set classifier.batch_size={max(1, source.num_clips // 4)} or less, or "
                "prepare more videos."
            )
        self.config, self.optim, self.precision = config, optim, training_precision(precision)
        self.head, self.source, self.backbone = head, source, backbone
        self.order = ClipOrder(source.num_clips, seed=seed, weights_N=weights_N)
        self.updater = Updater(
            [] if backbone is None else backbone.parameters(),
            optim,
            precision=self.precision,
            faster=list(head.parameters()),
            factor=config.head_rate_factor if backbone is not None else 1.0,
        )
        self.steps_per_epoch = source.num_clips // config.batch_size
        self.head_average, self.backbone_average = WeightAverage(), WeightAverage()

    def run(
        self,
        on_epoch: Callable[[EpochReport], None] = lambda _: None,
        *,
        on_step: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005 (names say what)
    ) -> None:
        """Train to the end. The weights of configured epochs are added to the averages.

        Args:
            on_epoch: Called after each epoch.
            on_step: Called after each step with steps done and steps in all.

        Raises:
            NonFiniteLossError: The loss became NaN or infinite.
        """
        num_steps = self.config.num_epochs * self.steps_per_epoch
        sampler = ClipSampler(self.order, batch_size=self.config.batch_size, stop_batch=num_steps)
        parts = self.source.batches(self._parts(sampler))
        losses: list[float] = []
        for step in range(num_steps):
            rate = learning_rate_at(
                step, config=self.optim, num_steps=num_steps, steps_per_epoch=self.steps_per_epoch
            )
            losses.append(self._step(parts, step=step, learning_rate=rate))
            on_step(step + 1, num_steps)
            if len(losses) == self.steps_per_epoch:
                epoch = (step + 1) // self.steps_per_epoch
                self._average(epoch)
                on_epoch(
                    EpochReport(
                        epoch=epoch,
                        num_epochs=self.config.num_epochs,
                        loss=sum(losses) / len(losses),
                        learning_rate=rate,
                    )
                )
                losses = []

    def _parts(self, batches: Iterable[list[Draw]]) -> Iterator[list[Draw]]:
        size = self.config.batch_size // self.config.accumulation
        for draws in batches:
            yield from (draws[first : first + size] for first in range(0, len(draws), size))

    def _step(self, parts: Iterator[LabelledFeatures], *, step: int, learning_rate: float) -> float:
        total = 0.0
        for _ in range(self.config.accumulation):
            batch = next(parts)
            with matrix_products_in(self.precision, batch.features_BTD.device):
                logits_BC = self.head(batch.features_BTD)
            loss = class_loss(logits_BC.float(), batch.targets_BC, kind=self.config.loss)
            if not bool(loss.isfinite()):
                raise NonFiniteLossError(f"The loss of step {step + 1} is {loss.item()}. {_ADVICE}")
            self.updater.backward(loss / self.config.accumulation)
            total += loss.item() / self.config.accumulation
        norm = self.updater.update(learning_rate=learning_rate)
        if self.precision != "float16" and not bool(
            norm.isfinite()
        ):  # in float16 the loss scale is lowered instead
            raise NonFiniteLossError(f"The gradients of step {step + 1} are not finite. {_ADVICE}")
        return total

    def _average(self, epoch: int) -> None:
        if self.config.averaging.counts(epoch):
            self.head_average.add(self.head.state_dict())
            if self.backbone is not None:
                self.backbone_average.add(self.backbone.state_dict())


def class_loss(logits_BC: Tensor, targets_BC: Tensor, *, kind: ClassLoss) -> Tensor:
    """Loss of a batch, a scalar.

    Args:
        logits_BC: Outputs of a head.
        targets_BC: Target of each class in [0, 1]; rows need not sum to 1.
        kind: "bce" is the mean over classes and clips; "ce" the mean over clips of the cross-entropy with
            the targets.

    Source:
        Paper Table 2; settings from the development code.
    """
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(logits_BC, targets_BC)
    return F.cross_entropy(logits_BC, targets_BC)


@torch.no_grad()
def predict_logits(
    head: nn.Module, source: FeatureSource, *, batch_size: int, precision: Precision = "float32"
) -> Tensor:
    """Outputs of a head for all clips of a source, in order, each clip once.

    Returns:
        float32 `[N, C]` on the CPU.
    """
    rows = range(source.num_clips)
    draws = ([Draw(0, row) for row in rows[first : first + batch_size]] for first in rows[::batch_size])
    logits: list[Tensor] = []
    for batch in source.batches(draws):
        with inference_products_in(precision, batch.features_BTD.device):
            logits.append(head(batch.features_BTD).float().cpu())
    return torch.cat(logits)

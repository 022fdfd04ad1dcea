"""Everything that decides how a classifier is trained on given features."""

from typing import Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.choices import ClassLoss
from cavmae_sync.config import Config


class AveragingConfig(Config):
    """Which epochs' weights are averaged. Fixed before training: never chosen by a result (spec 4.2)."""

    first_epoch: int | None = Field(None, gt=0)
    """First epoch whose last weights count, from 1; None averages nothing."""
    last_epoch: int | None = Field(None, gt=0)
    """Last epoch that counts; None is the last of all."""
    every_epochs: int = Field(1, gt=0)
    """Epochs from one that counts to the next."""

    def counts(self, epoch: int) -> bool:
        """Whether the weights after an epoch, from 1, are averaged."""
        if self.first_epoch is None or epoch < self.first_epoch:
            return False
        is_late = self.last_epoch is not None and epoch > self.last_epoch
        return not is_late and (epoch - self.first_epoch) % self.every_epochs == 0


class ClassifierConfig(Config):
    """Loss, targets and length of the training of a classifier (spec 4.2, 4.4)."""

    loss: ClassLoss = "bce"
    """"bce", mean over classes and clips, for clips of several labels; "ce" for one label each."""
    label_smoothing: float = Field(paper.LABEL_SMOOTHING, ge=0, lt=1)
    """Taken from true classes and spread over all, in training only."""
    is_balanced: bool = False
    """Draw clips with replacement so that classes come about equally often."""
    weights_file: str | None = None
    """Weights of the training clips when balanced, one number a line in the order of the dataset, instead of
    those that follow from their labels."""
    batch_size: int = Field(paper.PROBE_BATCH_SIZE, gt=0)
    """Clips of one step."""
    accumulation: int = Field(1, gt=0)
    """Parts into which a step is split, to save memory; the gradients are the same."""
    num_epochs: int = Field(paper.NUM_EPOCHS, gt=0)
    """Passes over the training clips."""
    head_rate_factor: float = Field(1.0, gt=0)
    """Learning rate of the head over that of the backbone, where both are trained."""
    averaging: AveragingConfig = AveragingConfig()
    """Which epochs' weights are averaged."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"batch_size={self.batch_size} must be a multiple of accumulation={self.accumulation}."
            )
        if self.weights_file is not None and not self.is_balanced:
            raise ValueError(
                "weights_file is for balanced drawing. Set is_balanced=true too, or leave it out."
            )
        first, last = self.averaging.first_epoch, self.averaging.last_epoch
        end = self.num_epochs if last is None else last
        if first is not None and not first <= end <= self.num_epochs:
            raise ValueError(
                f"averaging from epoch {first} to {end} needs first <= last <= num_epochs={self.num_epochs}. "
                "Lower averaging.first_epoch and averaging.last_epoch, or set averaging.first_epoch=none."
            )
        return self

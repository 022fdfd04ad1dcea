"""Configurations of probing and fine-tuning: of the head's training, and of a whole run."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.choices import BackboneUse, ClassLoss, HeadKind
from cavmae_sync.config import Config
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationConfig
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.training import OptimConfig


class AveragingConfig(Config):
    """Epochs whose weights are averaged. Fixed before training: never chosen by a result."""

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
    """Loss, targets and length of the training of a classifier."""

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


Rate = Annotated[float, Field(gt=0)]


class ProbeConfig(Config):
    """A complete run: a classifier on a pretrained model, or fine-tuning of that model."""

    name: str = "probe_as20k"
    """Name of the recipe it came from."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Decides the fresh head, the held-out slice, order and random changes."""
    backbone: BackboneUse = "cached"
    """"cached": features are computed once and kept in files; "frozen": anew each time, so that clips can be
    changed at random; "trained": fine-tuning."""
    features: FeatureConfig = FeatureConfig()
    """Which vector stands for a frame and its segment."""
    head: HeadKind = "transformer"
    """"transformer" is the paper's head, "linear" is logistic regression on the mean over time."""
    classifier: ClassifierConfig = ClassifierConfig()
    """Loss, targets, length, averaging."""
    optim: OptimConfig = OptimConfig(learning_rate=paper.PROBE_LEARNING_RATES[1])
    """Optimiser and learning rate."""
    learning_rates: tuple[Rate, ...] | None = paper.PROBE_LEARNING_RATES
    """Learning rates of which a held-out slice of the training clips chooses one; None takes
    optim.learning_rate."""
    held_out_fraction: float = Field(0.2, gt=0, lt=1)
    """Share of the training files that chooses the learning rate, and is then trained on like the rest."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of training clips; not with backbone=cached."""
    num_bootstrap: int = Field(1000, ge=0)
    """Resamples of the test clips behind the 95 % intervals; 0 gives none."""

    def report_config(self) -> ClassificationConfig:
        """Choices of its reports."""
        return ClassificationConfig(num_bootstrap=self.num_bootstrap, seed=self.seed)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.backbone == "cached" and self.augment != AugmentConfig():
            changed = ", ".join(
                f"augment.{name}={value}"
                for name, value in self.augment
                if value != getattr(AugmentConfig(), name)
            )
            raise ValueError(
                f"{changed} changes clips at random, but backbone=cached computes their features once. Set "
                "backbone=frozen to compute them anew in each epoch, or leave the changes out."
            )
        if self.learning_rates is not None and len(self.learning_rates) < 2:
            raise ValueError(
                "learning_rates needs two at least to choose from. For a single one set learning_rates=none "
                "and optim.learning_rate."
            )
        if self.backbone != "trained" and self.classifier.head_rate_factor != 1:
            raise ValueError(
                f"classifier.head_rate_factor={self.classifier.head_rate_factor} compares the head with a "
                f"backbone that is trained, but backbone={self.backbone}. Change optim.learning_rate instead."
            )
        return self

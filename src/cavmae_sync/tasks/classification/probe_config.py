"""Everything that decides a probing or fine-tuning run."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.choices import BackboneUse, HeadKind
from cavmae_sync.config import Config
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationConfig
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.head_config import ClassifierConfig
from cavmae_sync.training import OptimConfig

Rate = Annotated[float, Field(gt=0)]


class ProbeConfig(Config):
    """A complete run: a classifier on a pretrained model, or fine-tuning of that model (spec 4.2, 4.4)."""

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

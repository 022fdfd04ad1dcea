"""Everything that decides a probing or fine-tuning run, and the runs that have names."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.checks import no_such
from cavmae_sync.choices import BackboneUse, HeadKind
from cavmae_sync.config import Config
from cavmae_sync.embedding.features import FeatureConfig
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.training import OptimConfig
from cavmae_sync.training.classifier_config import AveragingConfig, ClassifierConfig

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


def probe_as20k() -> ProbeConfig:
    """Probing on AudioSet-20K. Published: 30.5 mAP (paper, Table 2); 30.8 in Tables 6, 7 and 12."""
    first, last = paper.PROBE_AS20K_AVERAGED
    return ProbeConfig(
        name="probe_as20k",
        classifier=ClassifierConfig(averaging=AveragingConfig(first_epoch=first, last_epoch=last)),
    )


def probe_vggsound() -> ProbeConfig:
    """Probing on VGGSound, one label per clip. Published: 52.7 % accuracy (paper, Table 2)."""
    first, last = paper.VGGSOUND_AVERAGED
    return ProbeConfig(
        name="probe_vggsound",
        classifier=ClassifierConfig(
            loss="ce",
            is_balanced=True,
            num_epochs=paper.PROBE_VGGSOUND_EPOCHS,
            averaging=AveragingConfig(first_epoch=first, last_epoch=last),
        ),
    )


def finetune_as20k() -> ProbeConfig:
    """Fine-tuning on AudioSet-20K as CAV-MAE did it (42.0 mAP there); not in the Sync paper."""
    return _finetune("finetune_as20k", place=0)


def finetune_as2m() -> ProbeConfig:
    """Fine-tuning on AudioSet-2M as CAV-MAE did it (51.2 mAP there); not in the Sync paper."""
    return _finetune("finetune_as2m", place=1, is_balanced=True)


def finetune_vggsound() -> ProbeConfig:
    """Fine-tuning on VGGSound as CAV-MAE did it (65.8 % there), one label per clip; not in the Sync paper."""
    return _finetune("finetune_vggsound", place=2, is_balanced=True, loss="ce")


def probe_stage() -> ProbeConfig:
    """Probing on some hundred generated clips: features and training take minutes on two cores."""
    return ProbeConfig(
        name="probe_stage",
        # A linear head sees too few steps here for the published rates: at 1e-2 it is far from its end.
        learning_rates=(1e-3, 1e-2, 1e-1),
        classifier=ClassifierConfig(batch_size=32, averaging=AveragingConfig(first_epoch=13, last_epoch=25)),
    )


def _finetune(name: str, *, place: int, **classifier: object) -> ProbeConfig:
    first, last = paper.FINETUNE_AVERAGED[place]
    return ProbeConfig(
        name=name,
        backbone="trained",
        learning_rates=None,
        classifier=ClassifierConfig.model_validate(
            {
                "batch_size": paper.FINETUNE_BATCH_SIZES[place],
                "num_epochs": paper.FINETUNE_EPOCHS[place],
                "head_rate_factor": paper.FINETUNE_HEAD_FACTORS[place],
                "averaging": {"first_epoch": first, "last_epoch": last},
                **classifier,
            }
        ),
        optim=OptimConfig(
            learning_rate=paper.FINETUNE_LEARNING_RATES[place],
            schedule="multistep",
            multistep_first_epoch=paper.FINETUNE_HALVED_FROM[place],
            multistep_every_epochs=1,
        ),
        augment=AugmentConfig(
            noise_amplitude=paper.CAVMAE_NOISE_AMPLITUDE,
            rolls_time=True,
            mixup_probability=paper.FINETUNE_MIXUP,
            frequency_mask_bins=paper.FINETUNE_MASK_BINS,
            time_mask_length=paper.FINETUNE_MASK_FRAMES,
        ),
    )


PROBE_RECIPES: Mapping[str, Callable[[], ProbeConfig]] = MappingProxyType(
    {
        recipe.__name__: recipe
        for recipe in (
            probe_as20k,
            probe_vggsound,
            probe_stage,
            finetune_as20k,
            finetune_as2m,
            finetune_vggsound,
        )
    }
)


def find_probe_recipe(name: str) -> ProbeConfig:
    """The configuration of that name.

    Raises:
        ConfigError: There is none; lists all.
    """
    if name not in PROBE_RECIPES:
        raise ConfigError(no_such("recipe", name, PROBE_RECIPES))
    return PROBE_RECIPES[name]()

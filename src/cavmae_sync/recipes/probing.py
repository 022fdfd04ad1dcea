"""Recipes of probing and fine-tuning: complete, named configurations."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cavmae_sync import paper
from cavmae_sync.checks import unknown_name
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.tasks.classification.config import AveragingConfig, ClassifierConfig, ProbeConfig
from cavmae_sync.training import OptimConfig


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
    """Probing on a few hundred generated clips, in minutes on two cores."""
    return ProbeConfig(
        name="probe_stage",
        # A linear head gets too few steps here for the published rates: at 1e-2 it is far from converged.
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
    """Configuration of a named recipe.

    Raises:
        ConfigError: There is no such recipe; all are listed.
    """
    if name not in PROBE_RECIPES:
        raise ConfigError(unknown_name("recipe", name, PROBE_RECIPES))
    return PROBE_RECIPES[name]()

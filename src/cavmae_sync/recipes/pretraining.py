"""Recipes of pretraining: complete, named configurations.

A variant calls its base and changes what its name says.

Start one with `cavmae-sync pretrain NAME --data DATASET --out RUN`; `key.path=value` words change fields.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cavmae_sync import paper
from cavmae_sync.checks import unknown_name
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import DecoderConfig, MaskingConfig, ModelConfig
from cavmae_sync.recipes import sync_plus
from cavmae_sync.recipes.stage_twin import TWIN_PREFIX, stage_twin
from cavmae_sync.recipes.sync_plus import SYNC_PLUS_PARTS, sync_base_with
from cavmae_sync.training import LoopConfig, OptimConfig, PretrainConfig, read_config


def sync_base() -> PretrainConfig:
    """CAV-MAE Sync as published: ViT-B, 416-frame segments, 8 registers, batch 512, 25 epochs of AudioSet-2M.

    Published with it: AudioSet V->A R@1 35.2, VGGSound 27.9 (paper, Table 1). Start from MAE weights with
    `--init mae_pretrain_vit_base_full.pth`. Hours and hardware of the published run are not known.
    """
    # Every published value is the default of its configuration; its source stands in paper.py.
    return PretrainConfig(name="sync_base")


def sync_base_mask_60() -> PretrainConfig:
    """`sync_base` with 60 % masked. Published: AudioSet V->A R@1 39.1, VGGSound 28.6 (Table 8)."""
    return _vary(sync_base(), "sync_base_mask_60", masking=MaskingConfig(ratio=0.6))


def sync_base_multi_mask() -> PretrainConfig:
    """`sync_base` with a ratio drawn from 0.6 to 0.9 at each step. Published: worse everywhere (Table 8)."""
    return _vary(
        sync_base(), "sync_base_multi_mask", masking=MaskingConfig(ratio_range=paper.MULTI_MASK_RATIO)
    )


def sync_base_mask_90() -> PretrainConfig:
    """`sync_base` with 90 % masked. Published: worse retrieval, better localisation (Table 8, text)."""
    return _vary(sync_base(), "sync_base_mask_90", masking=MaskingConfig(ratio=0.9))


def sync_base_registers_4() -> PretrainConfig:
    """`sync_base` with 4 register tokens (Table 6, second row)."""
    return _vary(sync_base(), "sync_base_registers_4", model=ModelConfig(registers=4))


def sync_base_registers_16() -> PretrainConfig:
    """`sync_base` with 16 register tokens. Published: AudioSet V->A R@5 59.2, mIoU 22.9 (Table 6)."""
    return _vary(sync_base(), "sync_base_registers_16", model=ModelConfig(registers=16))


def sync_base_no_registers() -> PretrainConfig:
    """`sync_base` without register tokens (Table 6, first row)."""
    return _vary(sync_base(), "sync_base_no_registers", model=ModelConfig(registers=0))


def sync_base_no_global_token() -> PretrainConfig:
    """`sync_base` comparing means of patch tokens (Table 7)."""
    return _vary(sync_base(), "sync_base_no_global_token", model=ModelConfig(global_token=False))


def sync_base_of_length(length: str) -> PretrainConfig:
    """`sync_base` with another length of sound around each frame (Figure 4; published best: about 4 s).

    Args:
        length: A published name, "1s" to "10s".
    """
    return _vary(
        sync_base(), f"sync_base_{length}", model=ModelConfig(inputs=InputConfig(segment_length=length))
    )


def sync_base_with_part(part: str) -> PretrainConfig:
    """`sync_base` with one part of `sync_plus_base` (docs/results-sync-plus.md).

    Args:
        part: A name of `SYNC_PLUS_PARTS`.
    """
    return sync_base_with(part, sync_base())


def sync_plus_base() -> PretrainConfig:
    """`sync_base` with the parts that did better here; nothing of this size was run."""
    return sync_plus.sync_plus_base(sync_base())


def tg_dp_base() -> PretrainConfig:
    """TG-DP as far as its code says it, without its teacher; nothing of this size was run."""
    return sync_plus.tg_dp_base(sync_base())


def cavmae_base() -> PretrainConfig:
    """CAV-MAE base: whole-clip sound, no global token, no registers, batch 48, multi-step schedule.

    As in its script, the sound gets noise and is rolled in time. CAV-MAE summed the losses of its devices; we
    take their mean, which changes next to nothing with Adam (docs/paper-vs-code.md, 48).
    """
    return PretrainConfig(
        name="cavmae_base",
        model=ModelConfig(
            global_token=False,
            registers=0,
            inputs=InputConfig(segment_length=paper.SPECTROGRAM_LENGTH),
        ),
        losses=LossConfig(
            contrastive_weight=paper.CAVMAE_CONTRASTIVE_WEIGHT,
            contrast=ContrastConfig(negatives=f"shard:{paper.CAVMAE_NEGATIVES_SHARD}"),
        ),
        augment=AugmentConfig(noise_amplitude=paper.CAVMAE_NOISE_AMPLITUDE, rolls_time=True),
        optim=OptimConfig(learning_rate=paper.CAVMAE_LEARNING_RATE, schedule="multistep"),
        loop=LoopConfig(batch_size=paper.CAVMAE_BATCH_SIZE),
    )


def cavmae_scale_plus() -> PretrainConfig:
    """CAV-MAE Scale+: batch 120, learning rate 1e-4. Published: AudioSet V->A R@1 18.8 (Table 1)."""
    # The paper says batch 128; 120 is the script's, and the one that can be run (docs/paper-vs-code.md, 18).
    # Shards are what one of its four devices compares.
    return _scaled("cavmae_scale_plus", batch_size=120, learning_rate=1e-4, shard=30)


def cavmae_scale_plus_plus() -> PretrainConfig:
    """CAV-MAE Scale++: batch 256, learning rate 2e-4."""
    return _scaled("cavmae_scale_plus_plus", batch_size=256, learning_rate=2e-4, shard=64)


def cavmae_scale_plus_plus_plus() -> PretrainConfig:
    """CAV-MAE Scale+++: batch 512, contrastive weight 0.1, cosine schedule (Table 4, the row before Sync).

    Its script is not published by name. What is known of it: docs/paper-vs-code.md, 47.
    """
    base = _scaled("cavmae_scale_plus_plus_plus", batch_size=512, learning_rate=2e-4, shard=64)
    return _vary(
        base,
        base.name,
        losses=base.losses.model_copy(update={"contrastive_weight": paper.CONTRASTIVE_WEIGHT}),
        optim=OptimConfig(),
    )


def debug() -> PretrainConfig:
    """A tiny model that trains in seconds and learns next to nothing, to try the machinery."""
    return PretrainConfig(
        name="debug",
        model=ModelConfig(
            inputs=InputConfig(segment_length=96, frame_pixels=64, alignment="centered"),
            width=32,
            depth=2,
            heads=2,
            registers=2,
            decoder=DecoderConfig(width=32, depth=1, heads=2),
        ),
        # A batch of 8 is smaller than a published shard of 64.
        losses=LossConfig(contrast=ContrastConfig(negatives="local")),
        optim=OptimConfig(learning_rate=1e-3),
        loop=LoopConfig(batch_size=8, num_steps=20, num_workers=0),
    )


def _scaled(name: str, *, batch_size: int, learning_rate: float, shard: int) -> PretrainConfig:
    base = cavmae_base()
    contrast = ContrastConfig(negatives=f"shard:{shard}")
    return _vary(
        base,
        name,
        losses=base.losses.model_copy(update={"contrast": contrast}),
        optim=base.optim.model_copy(update={"learning_rate": learning_rate}),
        loop=LoopConfig(batch_size=batch_size),
    )


def _vary(base: PretrainConfig, name: str, **changes: Any) -> PretrainConfig:
    return PretrainConfig.model_validate({**dict(base), "name": name, **changes})


Recipe = Callable[[], PretrainConfig]


def find_recipe(name: str) -> PretrainConfig:
    """The configuration of a named recipe; `stage_NAME` is its small twin (`stage_twin`).

    The `config.json` of a run is a recipe too: it repeats that run.

    Raises:
        ConfigError: There is no such recipe (all are listed), or the file is no configuration.
    """
    if name.endswith(".json"):
        return read_config(Path(name))
    original = name.removeprefix(TWIN_PREFIX)
    if original not in RECIPES:
        prefix = TWIN_PREFIX if name.startswith(TWIN_PREFIX) else ""
        raise ConfigError(
            unknown_name("recipe", name, [f"{prefix}{each}" for each in sorted(RECIPES)])
            + ("" if prefix else f" And {TWIN_PREFIX}NAME, the small twin of each.")
        )
    recipe = RECIPES[original]()
    return recipe if name == original else stage_twin(recipe)


#: Lengths of Figure 4 other than that of the published model.
_LENGTHS = tuple(length for length, frames in paper.SEGMENT_LENGTHS.items() if frames != paper.SEGMENT_LENGTH)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {f"sync_base_{length}": partial(sync_base_of_length, length) for length in _LENGTHS}
    | {f"sync_base_with_{part}": partial(sync_base_with_part, part) for part in SYNC_PLUS_PARTS}
    | {
        recipe.__name__: recipe
        for recipe in (
            cavmae_base,
            cavmae_scale_plus,
            cavmae_scale_plus_plus,
            cavmae_scale_plus_plus_plus,
            debug,
            sync_base,
            sync_base_mask_60,
            sync_base_mask_90,
            sync_base_multi_mask,
            sync_base_no_global_token,
            sync_base_no_registers,
            sync_base_registers_16,
            sync_base_registers_4,
            sync_plus_base,
            tg_dp_base,
        )
    }
)

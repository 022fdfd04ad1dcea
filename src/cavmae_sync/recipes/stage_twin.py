"""Stage twins: an experiment of the paper at a size for two cores and generated clips.

A twin keeps all that the paper's tables vary (registers, global token, mask ratio, loss weights, batch sizes
and lengths of sound relative to each other, schedule) and divides the rest by fixed factors, the same for
every recipe. So differences between twins have the same meaning as differences between the originals, for a
small model and generated clips; the numbers themselves do not compare with the paper's.
"""

import math
from typing import Final

from cavmae_sync import paper
from cavmae_sync.losses import LossConfig
from cavmae_sync.model import DecoderConfig, ModelConfig
from cavmae_sync.training import LoopConfig, OptimConfig, PretrainConfig

#: Prefix of the name of a twin.
TWIN_PREFIX: Final = "stage_"
#: Default number of generated clips to learn from, and of passes over them: 1,800 steps of `stage_sync_base`.
NUM_CLIPS: Final = 1000
NUM_EPOCHS: Final = 120
#: Side of a frame in pixels.
FRAME_PIXELS: Final = 96
#: Divisor of batch sizes.
BATCH_DIVISOR: Final = 8
#: Divisor of lengths of sound, unless it is that of the whole clip. On the stage something else sounds every
#: 0.5 to 0.9 s, so 4 s of the world are 0.5 s there.
LENGTH_DIVISOR: Final = 8
#: Factor of learning rates: smaller models and batches take larger steps.
LEARNING_RATE_FACTOR: Final = 5
#: Factor of contrastive weights: hundreds of steps must do what took a hundred thousand.
CONTRASTIVE_FACTOR: Final = 10
#: Limit of the gradient norm: a warm-up would last only a few steps, so gradients are clipped instead.
CLIP_GRADIENT_NORM: Final = 1.0


def stage_twin(
    recipe: PretrainConfig, *, num_clips: int = NUM_CLIPS, num_epochs: int = NUM_EPOCHS, seed: int = 0
) -> PretrainConfig:
    """Small twin of a full-size recipe.

    Args:
        recipe: A recipe of the published size.
        num_clips: Clips of the training set; a batch is not larger than half of them.
        num_epochs: Passes over the generated clips, the same for all twins of a table. With several moments
            of a clip in a step they are fewer, so that each twin sees as many pairs.
        seed: Seed of the run.
    """
    moments = recipe.loop.moments_per_clip
    whole = math.lcm(moments, recipe.losses.reconstruct_every)
    batch_size = max(2, whole, min(recipe.loop.batch_size // BATCH_DIVISOR, num_clips // 2) // whole * whole)
    return PretrainConfig(
        name=f"{TWIN_PREFIX}{recipe.name}",
        seed=seed,
        model=_small(recipe.model),
        masking=recipe.masking,
        losses=_rebalanced(recipe.losses),
        augment=recipe.augment,
        optim=stretched_multistep(_faster(recipe.optim), num_epochs / paper.NUM_EPOCHS),
        loop=LoopConfig(
            batch_size=batch_size,
            moments_per_clip=moments,
            num_epochs=max(1, round(num_epochs / moments)),
            num_workers=0,
            # Nothing is measured on the way: tables measure at the end.
            num_retrieval_clips=0,
            validate_every_steps=10**9,
            checkpoint_every_steps=100,
        ),
    )


def _small(model: ModelConfig) -> ModelConfig:
    """Model with less width, depth and pixels. What tables vary (segments, tokens) stays.

    Segments are centred on their frames, but for those of the whole clip: they are the same for all frames.
    """
    is_whole_clip = model.inputs.segment_length >= paper.SPECTROGRAM_LENGTH
    sound = (
        {}
        if is_whole_clip
        else {"alignment": "centered", "segment_length": twin_length(model.inputs.segment_length)}
    )
    inputs = model.inputs.model_copy(update={"frame_pixels": FRAME_PIXELS, **sound})
    small = {"width": 64, "depth": 3, "heads": 4, "decoder": DecoderConfig(width=64, depth=1, heads=4)}
    return ModelConfig.model_validate({**dict(model), **small, "inputs": inputs})


def twin_length(length: int) -> int:
    """Length of sound of a twin, in spectrogram frames: a multiple of the size of a patch, at least one."""
    return max(1, round(length / LENGTH_DIVISOR / paper.PATCH_SIZE)) * paper.PATCH_SIZE


def _rebalanced(losses: LossConfig) -> LossConfig:
    """Losses with a larger contrastive weight, compared within the whole batch.

    An eighth of a published shard would hold too few candidates to learn from.
    """
    return losses.model_copy(
        update={
            "contrastive_weight": losses.contrastive_weight * CONTRASTIVE_FACTOR,
            "patch_contrastive_weight": losses.patch_contrastive_weight * CONTRASTIVE_FACTOR,
            "contrast": losses.contrast.model_copy(update={"negatives": "local"}),
        }
    )


def stretched_multistep(optim: OptimConfig, factor: float) -> OptimConfig:
    """Optimiser settings with the epochs of "multistep" multiplied by `factor`, for a run of other length.

    They are rounded up, so that a short run does not lower its rate more often than a long one.
    """
    # Of a product like 48.000000000000007 the last digit says nothing.
    first, every = (
        math.ceil(round(epochs * factor, 6))
        for epochs in (optim.multistep_first_epoch, optim.multistep_every_epochs)
    )
    return optim.model_copy(update={"multistep_first_epoch": first, "multistep_every_epochs": every})


def _faster(optim: OptimConfig) -> OptimConfig:
    return optim.model_copy(
        update={
            "learning_rate": optim.learning_rate * LEARNING_RATE_FACTOR,
            "clip_gradient_norm": CLIP_GRADIENT_NORM,
        }
    )

"""Contradictions of a run are refused before it starts, with the field and the way out."""

import pytest
from pydantic import ValidationError

from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import MaskingConfig
from cavmae_sync.training import LearningRateRamp, LoopConfig, OptimConfig, PretrainConfig

from .tiny import tiny_run

PIECE = (LearningRateRamp(after_step=0, until_step=5, factor=1),)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (
            lambda: PretrainConfig(loop=LoopConfig(batch_size=100)),
            "shard:64 must divide loop.batch_size / loop.accumulation = 100",
        ),
        (
            lambda: PretrainConfig(loop=LoopConfig(batch_size=128, accumulation=4, contrast_over="part")),
            "shard:64 must divide loop.batch_size / loop.accumulation = 32",
        ),
        (
            lambda: tiny_run(loop={"accumulation": 3}),
            "loop.batch_size=4 must be a multiple of loop.accumulation=3",
        ),
        (
            lambda: PretrainConfig.model_validate(
                {"model": {"global_token": False}, "losses": {"contrast": {"representation": "both"}}}
            ),
            "representation=both compares global tokens too",
        ),
        (
            lambda: tiny_run(loop={"read_order": "blocks", "weights_file": "weights.txt"}),
            r"read_order=blocks takes each clip once an epoch, .* Leave out one",
        ),
        (lambda: tiny_run(masking=MaskingConfig(ratio=0.8)), r"a mask ratio of 0\.8 hides all of 4 patches"),
        (lambda: tiny_run(masking=MaskingConfig(ratio_range=(0.1, 0.9))), r"ratio of 0\.9 hides all of 4"),
        (lambda: tiny_run(masking=MaskingConfig(contrastive_mask_ratio=0.9)), r"ratio of 0\.9 hides all"),
        (lambda: tiny_run(loop={"moments_per_clip": 3}), "batch_size=4 must be a multiple of .*moments_per"),
        (
            lambda: tiny_run(loop={"moments_per_clip": 2, "batch_size": 6}, negatives="shard:3"),
            "shard:3 would cut clips of loop.moments_per_clip=2",
        ),
        (
            lambda: tiny_run(
                losses=LossConfig(contrast=ContrastConfig(negatives="local", within_clip_weight=1))
            ),
            "compares the moments of a clip. Set loop.moments_per_clip=2",
        ),
        (
            lambda: tiny_run(
                losses=LossConfig(contrast=ContrastConfig(negatives="local"), reconstruct_every=3)
            ),
            "batch_size=4 must be a multiple of losses.reconstruct_every=3",
        ),
        (
            lambda: tiny_run(
                loop={"accumulation": 2},
                losses=LossConfig(contrast=ContrastConfig(negatives="local", learns_temperature=True)),
            ),
            "learns_temperature=true does not work with loop.accumulation",
        ),
        (lambda: tiny_run(loop={"num_steps": 0}), "num_steps"),
        (lambda: tiny_run(masking=MaskingConfig(ratio=0)), "nothing to reconstruct"),
        (
            lambda: PretrainConfig(losses=LossConfig(contrastive_weight=0, reconstruction_weight=0)),
            "leave nothing to learn",
        ),
        (lambda: tiny_run(augment=AugmentConfig(time_mask_length=33)), "time_mask_length=33 is longer than"),
        (lambda: tiny_run(optim=OptimConfig(betas=(0.9, 1.0))), "less than 1"),
        (lambda: tiny_run(seed=2**63), "seed"),
        (lambda: OptimConfig(schedule="pieces"), "schedule=pieces needs pieces"),
        (lambda: OptimConfig(pieces=PIECE), "no other schedule takes them"),
        (lambda: OptimConfig(schedule="pieces", pieces=PIECE + PIECE), "ever later"),
        (lambda: LearningRateRamp(after_step=5, until_step=5, factor=1), "until_step=5 must be above"),
    ],
)
def test_contradictions_are_refused(build, says: str):
    with pytest.raises(ValidationError, match=says):
        build()


def test_shards_of_a_whole_batch_may_be_larger_than_a_part():
    config = PretrainConfig(loop=LoopConfig(batch_size=128, accumulation=4))
    assert config.losses.contrast.shard_size == 64


def test_the_defaults_are_the_published_run():
    config = PretrainConfig()
    assert (config.loop.batch_size, config.loop.num_epochs) == (512, 25)
    assert config.optim.algorithm == "adam"
    assert config.losses.contrast.negatives == "shard:64"
    assert config.masking.ratio == 0.75


def test_a_configuration_survives_json():
    config = tiny_run(negatives="shard:2", optim=OptimConfig(schedule="pieces", pieces=PIECE))
    assert PretrainConfig.model_validate_json(config.model_dump_json()) == config

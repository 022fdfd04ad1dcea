"""Configuration of a demo, and the small model that it trains."""

from pydantic import Field

from cavmae_sync.config import Config
from cavmae_sync.inputs import InputConfig
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import DecoderConfig, MaskingConfig, ModelConfig
from cavmae_sync.recipes.demo.time_budget import NUM_VALIDATIONS
from cavmae_sync.stage import Variant
from cavmae_sync.training import LoopConfig, OptimConfig, PretrainConfig


class DemoConfig(Config):
    """Configuration of a demo; stored at its first start, so that a later start continues the same demo."""

    minutes: float = Field(10.0, gt=0)
    """Minutes that it may take in all, on any machine."""
    seed: int = Field(0, ge=0)
    """Seed of the clips and of training."""
    num_train_clips: int = Field(800, gt=0)
    """Generated clips to learn from; fewer if there is no time for them (see `plan.json`)."""
    num_test_clips: int = Field(500, gt=0)
    """Generated clips to measure with, which show other objects; fewer as above."""
    variant: Variant = "bind"
    """Variant of the generated clips; `bind` is the one that no rule without learning solves."""
    frame_pixels: int = Field(96, ge=32, multiple_of=16)
    """Side of a frame."""
    videos: str | None = None
    """Folder of own video files to use instead of generated clips."""


def demo_pretraining(config: DemoConfig, *, num_steps: int, batch_size: int) -> PretrainConfig:
    """Pretraining of a small CAV-MAE Sync on small frames: the method of the paper at a size for two cores.

    What differs from the published recipe, and why, is in docs/results.md.
    """
    return PretrainConfig(
        name="demo",
        seed=config.seed,
        model=ModelConfig(
            # 48 rows are 0.5 s: on the stage another object sounds every 0.5 to 0.9 s.
            inputs=InputConfig(frame_pixels=config.frame_pixels, segment_length=48, alignment="centered"),
            # Half as wide is twice as many steps, and steps are what a demo lacks.
            width=64,
            depth=3,
            heads=4,
            registers=4,
            decoder=DecoderConfig(width=64, depth=1, heads=4),
        ),
        # In a few hundred steps, seeing more of a clip helps alignment more than harder reconstruction.
        masking=MaskingConfig(ratio=0.5),
        # Published: weight 0.1 for 86,000 steps, and one direction. Here there are hundreds of steps, and
        # the page measures both directions.
        losses=LossConfig(
            contrastive_weight=1.0, contrast=ContrastConfig(negatives="local", direction="both")
        ),
        optim=OptimConfig(learning_rate=1e-3, clip_gradient_norm=1.0, betas=(0.9, 0.98), final_fraction=0.02),
        loop=LoopConfig(
            batch_size=batch_size,
            num_steps=num_steps,
            num_workers=0,
            read_every_steps=1,  # its plan follows the time of each step
            validate_every_steps=max(1, num_steps // NUM_VALIDATIONS),
            num_retrieval_clips=0,  # costs as much as training; the page measures at the end
        ),
    )

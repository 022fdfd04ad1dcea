"""Configuration of a pretraining run: everything that decides it, as one value."""

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.choices import GradientSync, Parallel, TrainingPrecision
from cavmae_sync.compute import Float32Choice
from cavmae_sync.config import Config
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.losses import LossConfig
from cavmae_sync.model import MaskingConfig, ModelConfig

Beta = Annotated[float, Field(ge=0, lt=1)]


class LearningRateRamp(Config):
    """Learning rate that changes along a straight line; it begins where the ramp before it has got to."""

    after_step: int = Field(ge=0)
    """Updates before its first one."""
    until_step: int = Field(gt=0)
    """Update, counted from 1, at which it reaches `factor`; the next ramp may begin earlier."""
    factor: float = Field(ge=0, le=1)
    """Learning rate there, over the peak."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.until_step <= self.after_step:
            raise ValueError(f"until_step={self.until_step} must be above after_step={self.after_step}.")
        return self


class OptimConfig(Config):
    """Optimiser, and its learning rate over time."""

    algorithm: Literal["adam", "adamw"] = "adam"
    """"adam" couples the penalty with the gradient, as published; "adamw" decays weights apart."""
    learning_rate: float = Field(paper.LEARNING_RATE, gt=0)
    """Peak learning rate."""
    betas: tuple[Beta, Beta] = paper.ADAM_BETAS
    """Decay of the first and second moment."""
    weight_decay: float = Field(paper.WEIGHT_DECAY, ge=0)
    """Penalty on every parameter, norms and tokens included, as published."""
    clip_gradient_norm: float | None = Field(None, gt=0)
    """Gradients of a larger norm are scaled down to it; None for no clipping, as published."""
    schedule: Literal["cosine", "multistep", "constant", "pieces"] = "cosine"
    """"cosine" with linear warm-up (Sync), "multistep" per epoch (CAV-MAE), "constant" after warm-up, or
    ramps (`pieces`)."""
    pieces: tuple[LearningRateRamp, ...] = ()
    """Ramps of the schedule "pieces". A run that changes its length while it goes writes them, so that it can
    be repeated."""
    warmup_fraction: float = Field(paper.WARMUP_FRACTION, ge=0, lt=1)
    """Part of all steps with rising learning rate; used by "cosine" and "constant"."""
    final_fraction: float = Field(paper.FINAL_LEARNING_RATE_FRACTION, ge=0, le=1)
    """Last learning rate of "cosine" over the peak."""
    multistep_first_epoch: int = Field(paper.MULTISTEP_FIRST_EPOCH, gt=0)
    """Epochs before "multistep" first lowers the rate."""
    multistep_every_epochs: int = Field(paper.MULTISTEP_EVERY_EPOCHS, gt=0)
    """Epochs between its later steps."""
    multistep_factor: float = Field(paper.MULTISTEP_FACTOR, gt=0, lt=1)
    """Factor of the rate at each step of "multistep"."""
    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Decay of an average of the weights over steps. The average is what is validated and written as
    weights.safetensors; training goes on from the newest weights. It is shorter in the first steps. None
    keeps none, as published."""

    @model_validator(mode="after")
    def _check_pieces(self) -> Self:
        if (self.schedule == "pieces") != bool(self.pieces):
            raise ValueError("schedule=pieces needs pieces, and no other schedule takes them.")
        starts = [piece.after_step for piece in self.pieces]
        if starts and (starts[0] != 0 or any(b <= a for a, b in itertools.pairwise(starts))):
            raise ValueError(f"pieces must begin after step 0 and then ever later, got {starts}.")
        return self


class LoopConfig(Config):
    """Length of a run, its batches, and when what is written."""

    batch_size: int = Field(paper.BATCH_SIZE, gt=0)
    """(frame, segment) pairs of one step, over all processes and accumulated parts; as many clips, unless
    `moments_per_clip` is more than 1."""
    moments_per_clip: int = Field(1, gt=0)
    """Moments of a clip in one step: different frames, each with its segment. A step takes
    batch_size / moments_per_clip clips."""
    shares_moments: bool = False
    """Whether all clips of a step give frames of the same numbers. Where clips are alike in time (talking
    heads begin and end with silence), the place in a clip tells pairs apart without hearing; here it does
    not."""
    accumulation: int = Field(1, gt=0)
    """Parts into which each process splits its share of a step, to save memory."""
    contrast_over: Literal["batch", "part"] = "batch"
    """Pairs that an accumulated step compares: its whole "batch", as if it were not split, for 1.15 times the
    arithmetic (shards that fit into a part need none of it); or each "part" by itself."""
    num_epochs: int = Field(paper.NUM_EPOCHS, gt=0)
    """Passes over the training clips."""
    num_steps: int | None = Field(None, gt=0)
    """Length of the run in steps instead of epochs."""
    precision: TrainingPrecision | Literal["auto"] = "auto"
    """Precision of the forward pass; similarities and losses are float32 in all three. "auto" takes bfloat16
    on CUDA devices of compute capability 8.0 or more, else float32, and writes it into config.json."""
    float32_products: Float32Choice | Literal["high"] = "auto"
    """How float32 products are computed (`torch.set_float32_matmul_precision`). "auto" takes "high", which is
    TF32, on CUDA. On processors it takes "medium" where that is known to be faster and rounds no more."""
    compile: Literal["auto", "measure", "on", "off"] = "auto"
    """Whether blocks are compiled by `torch.compile`. "measure" compiles one when the run starts, and all
    where that is a gain; where there is no compiler, or it fails, nothing is. "auto" does that on CUDA, and
    compiles nothing elsewhere. config.json says "on" or "off"."""
    read_every_steps: Literal["auto"] | Annotated[int, Field(gt=0)] = "auto"
    """Steps between readings of losses, of whether they are finite, and of the wish to stop: for each, the
    device is waited for. "auto" is 10 on CUDA, else 1. Before a row of the log, a validation and a checkpoint
    is always read."""
    checkpoint_activations: bool = False
    """Drop the activations inside each block after the forward pass and compute them again for the backward
    pass: less memory, a third more arithmetic, the same gradients."""
    gradient_sync: GradientSync = "float32"
    """Type in which gradients travel between processes. "bfloat16" halves what is sent, and rounds
    each gradient to 8 bits before it is summed. One process sends nothing."""
    parallel: Parallel = "ddp"
    """What each of several processes keeps: "ddp" all parameters, gradients and states of the optimiser;
    "fsdp" a part of them, for models that do not fit. Results are equal; checkpoints move between both."""
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that read clips, per training process; 0 reads in the training process itself. "auto" decides
    at each start of the run and says so in environment.json: beside an accelerator the cores of this process
    but one, at most 16; on the CPU 0 where all frames fit into `frame_memory_mib`, else at most 2."""
    frame_memory_mib: int = Field(1024, ge=0)
    """Memory in MiB for decoded frames, once for the training and once for the validation clips. It is used
    where the training process reads clips itself (num_workers=0): a frame within it is decoded once, others
    each time."""
    read_order: Literal["random", "blocks"] = "random"
    """Order of the clips of an epoch. "blocks" reads blocks of neighbours from end to end, for disks where a
    request costs more than its bytes; clips are then mixed within a buffer only, see docs/scale.md."""
    read_block_clips: int = Field(32, gt=0)
    """Clips of a block; used by read_order=blocks. A clip takes about 0.75 MB as published."""
    read_buffer_clips: int = Field(4096, gt=0)
    """Clips among which the next ones are chosen, over all processes; used by read_order=blocks. They must
    fit into the file cache of the machines."""
    weights_file: str | None = None
    """Draw clips with replacement by these weights: one number a line, in the order of the training dataset
    (`cavmae-sync list DATASET --write-weights FILE`); None takes each clip once per epoch, as published."""
    log_every_steps: int = Field(10, gt=0)
    """Steps between rows of metrics.jsonl."""
    validate_every_steps: int | None = Field(None, gt=0)
    """Steps between validations; None validates after each epoch."""
    num_retrieval_clips: int = Field(500, ge=0)
    """Validation clips, from the first on, among which retrieval is measured; 0 for none."""
    checkpoint_every_steps: int | None = Field(None, gt=0)
    """Steps between checkpoints; None writes one after each validation."""
    keep_checkpoints: int = Field(2, gt=0)
    """Checkpoints kept; older ones are deleted."""

    @property
    def clips_per_step(self) -> int:
        """Clips of one step, over all processes and accumulated parts."""
        return self.batch_size // self.moments_per_clip

    @property
    def num_readers(self) -> int:
        """`num_workers`, or 0 as long as nothing has decided it."""
        return 0 if self.num_workers == "auto" else self.num_workers

    @property
    def decided_precision(self) -> TrainingPrecision:
        """`precision` of a run that has started.

        Raises:
            ValueError: It is still "auto".
        """
        if self.precision == "auto":
            raise ValueError("loop.precision=auto: call training.resolve_by_device first")
        return self.precision

    @property
    def decided_reading(self) -> int:
        """`read_every_steps` of a run that has started.

        Raises:
            ValueError: It is still "auto".
        """
        if self.read_every_steps == "auto":
            raise ValueError("loop.read_every_steps=auto: call training.resolve_by_device first")
        return self.read_every_steps


class PretrainConfig(Config):
    """A complete pretraining run."""

    name: str = "sync_base"
    """Name of the recipe it came from."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of fresh weights, order, frames, masks and augmentations."""
    model: ModelConfig = ModelConfig()
    """Shape of the model."""
    masking: MaskingConfig = MaskingConfig()
    """How patches are hidden."""
    losses: LossConfig = LossConfig()
    """Loss that is minimised."""
    augment: AugmentConfig = AugmentConfig()
    """Changes to the inputs; all off as published."""
    optim: OptimConfig = OptimConfig()
    """Optimiser and learning rate."""
    loop: LoopConfig = LoopConfig()
    """Length of the run, batches, precision, what is written when."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_batch()
        self._check_moments()
        self._check_compile()
        self._check_losses()
        self._check_masks()
        if self.loop.read_order == "blocks" and self.loop.weights_file is not None:
            raise ValueError(
                "loop.read_order=blocks takes each clip once an epoch, and loop.weights_file draws clips by "
                "weight. Leave out one of them."
            )
        return self

    def _check_batch(self) -> None:
        shard = self.losses.contrast.shard_size
        part, rest = divmod(self.loop.batch_size, self.loop.accumulation)
        compared = self.loop.batch_size if self.loop.contrast_over == "batch" else part
        if rest:
            raise ValueError(
                f"loop.batch_size={self.loop.batch_size} must be a multiple of "
                f"loop.accumulation={self.loop.accumulation}."
            )
        if shard is not None and compared % shard:
            what = "loop.batch_size" if compared != part else "loop.batch_size / loop.accumulation"
            raise ValueError(
                f"losses.contrast.negatives=shard:{shard} must divide {what} = {compared}. Use "
                "losses.contrast.negatives=local, or another batch size."
            )

    def _check_moments(self) -> None:
        loop, contrast, every = self.loop, self.losses.contrast, self.losses.reconstruct_every
        moments, shard = loop.moments_per_clip, contrast.shard_size
        if loop.batch_size % (moments * loop.accumulation):
            raise ValueError(
                f"loop.batch_size={loop.batch_size} must be a multiple of loop.moments_per_clip={moments}"
                + (f" times loop.accumulation={loop.accumulation}." if loop.accumulation > 1 else ".")
            )
        if loop.batch_size % (every * loop.accumulation):
            raise ValueError(
                f"loop.batch_size={loop.batch_size} must be a multiple of losses.reconstruct_every={every}"
                + (f" times loop.accumulation={loop.accumulation}." if loop.accumulation > 1 else ".")
            )
        if shard is not None and shard % moments:
            raise ValueError(
                f"losses.contrast.negatives=shard:{shard} would cut clips of loop.moments_per_clip={moments} "
                "pairs. Use a multiple, or losses.contrast.negatives=local."
            )
        if contrast.within_clip_weight and moments == 1:
            raise ValueError(
                "losses.contrast.within_clip_weight compares the moments of a clip. Set "
                "loop.moments_per_clip=2 or more."
            )
        if contrast.learns_temperature and loop.accumulation > 1 and loop.contrast_over == "batch":
            raise ValueError(
                "losses.contrast.learns_temperature=true does not work with loop.accumulation > 1, because "
                "the batch is compared before its parts are passed. Set loop.contrast_over=part or "
                "loop.accumulation=1."
            )

    def _check_compile(self) -> None:
        if self.loop.compile == "on" and self.masking.changes_size:
            raise ValueError(
                "loop.compile=on compiles for fixed numbers of patches, and masking.ratio_range or "
                "masking.contrastive_ratio_range draws other ones at each step. Set loop.compile=off."
            )

    def _check_losses(self) -> None:
        if self.losses.contrastive_weight == self.losses.reconstruction_weight == 0:
            raise ValueError(
                "losses.contrastive_weight=0 and losses.reconstruction_weight=0 leave nothing to learn. "
                "Raise one."
            )
        if self.losses.contrast.representation == "both" and not self.model.global_token:
            raise ValueError(
                "losses.contrast.representation=both compares global tokens too, but "
                "model.global_token=False. Use patch_mean."
            )

    def _check_masks(self) -> None:
        fewest = min(rows * columns for rows, columns in (self.model.audio_grid, self.model.visual_grid))
        low, high = self.masking.ratio_range or (self.masking.ratio, self.masking.ratio)
        second = self.masking.contrastive_ratio_range or (0, self.masking.contrastive_mask_ratio or 0)
        for ratio in (high, second[1]):
            if int(fewest * (1 - ratio)) == 0:
                raise ValueError(
                    f"a mask ratio of {ratio} hides all of {fewest} patches. Lower it, or raise "
                    "model.inputs.frame_pixels or model.inputs.segment_length."
                )
        if low == 0 and self.losses.reconstruction_weight > 0:
            raise ValueError(
                "a mask ratio of 0 hides nothing, so there is nothing to reconstruct. Raise it, or set "
                "losses.reconstruction_weight=0."
            )
        if self.augment.time_mask_length > self.model.inputs.segment_length:
            raise ValueError(
                f"augment.time_mask_length={self.augment.time_mask_length} is longer than a segment, "
                f"model.inputs.segment_length={self.model.inputs.segment_length}. Lower it."
            )

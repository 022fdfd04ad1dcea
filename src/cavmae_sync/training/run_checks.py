"""Checks of a run against its clips, its processes and its checkpoint, before the first step."""

from cavmae_sync.errors import TrainingError
from cavmae_sync.training.config import PretrainConfig


def check_sizes(config: PretrainConfig, *, num_clips: int, num_processes: int) -> None:
    """Refuse a run whose batches cannot be filled or divided.

    Raises:
        TrainingError: There are fewer clips than a batch needs, or processes cannot share the batch.
    """
    batch_size, parts = config.loop.batch_size, config.loop.accumulation
    moments, num_needed = config.loop.moments_per_clip, config.loop.clips_per_step
    every = config.losses.reconstruct_every
    if num_clips == 0:
        raise TrainingError("the training dataset has no clips. Look at its rejected.parquet.")
    if num_clips < num_needed:
        of_each = f", {moments} moments of each of {num_needed}" if moments > 1 else ""
        raise TrainingError(
            f"there are {num_clips} training clips, a step needs loop.batch_size={batch_size}{of_each}. "
            f"Set loop.batch_size={moments << (num_clips.bit_length() - 1)} or less and "
            "losses.contrast.negatives=local, or prepare more videos."
        )
    part, rest = divmod(batch_size, num_processes * parts)
    if rest or part % moments or part % every:
        raise TrainingError(
            f"loop.batch_size={batch_size} must be a multiple of {num_processes} processes times "
            f"loop.accumulation={parts}"
            + (f" times losses.reconstruct_every={every}" if every > 1 else "")
            + (f" times loop.moments_per_clip={moments}." if moments > 1 else ".")
        )
    shard = config.losses.contrast.shard_size
    compared = part * parts if config.loop.contrast_over == "batch" else part
    if shard is not None and compared % shard:
        raise TrainingError(
            f"losses.contrast.negatives=shard:{shard} must divide the {compared} clips that each of "
            f"{num_processes} processes compares at once. Use losses.contrast.negatives=local or global."
        )


def check_resumes(config: PretrainConfig, *, before: int, now: int) -> None:
    """Refuse to continue with another number of processes where the negatives depend on it.

    Args:
        config: The run.
        before: Processes that wrote the checkpoint.
        now: Processes that read it.

    Raises:
        TrainingError: The same steps would compare other clips.
    """
    negatives, loop = config.losses.contrast.negatives, config.loop
    compares_parts = loop.accumulation > 1 and loop.contrast_over == "part"
    has_patches = config.losses.patch_contrastive_weight > 0
    if now != before and (negatives == "local" or (negatives == "global" and compares_parts) or has_patches):
        words = f"losses.contrast.negatives={negatives}" + " loop.contrast_over=part" * compares_parts
        if has_patches:
            words = "losses.patch_contrastive_weight"
        raise TrainingError(
            f"{words}: which clips are compared depends on the number of processes. This run had {before}, "
            f"now there are {now}. Start {before}, or a new run with shard:n negatives, or with global ones "
            "and loop.contrast_over=batch."
        )

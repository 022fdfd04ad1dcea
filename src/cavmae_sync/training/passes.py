"""Forward and backward passes of one step: a batch in, gradients in the weights and losses out.

K accumulated parts of a step, L losses.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from cavmae_sync.data import Batch
from cavmae_sync.training.config import PretrainConfig
from cavmae_sync.training.distributed import World
from cavmae_sync.training.gradient_cache import PartContrast, compare_parts
from cavmae_sync.training.masks import StepMasks
from cavmae_sync.training.step import PretrainStep


class Passes:
    """Passes of a process's share of a step, part by part.

    Args:
        module: What a part computes.
        config: The run.
        world: Processes that share the step; their gradients are averaged.
    """

    def __init__(self, module: PretrainStep, config: PretrainConfig, *, world: World) -> None:
        self.module, self.config, self.world = module, config, world
        self.parallel = world.wrap(
            module,
            has_unused_parameters=config.losses.reconstruction_weight == 0,
            is_accumulated=config.loop.accumulation > 1,
            gradient_sync=config.loop.gradient_sync,
            parallel=config.loop.parallel,
        )

    def gradients(self, batch: Batch, masks: StepMasks, *, backward: Callable[[Tensor], None]) -> Tensor:
        """Add the gradients of all parts.

        Args:
            batch: This process's share, on the device.
            masks: Its masks, on the device.
            backward: Adds the gradients of a loss.

        Returns:
            Losses `[K, L]` of the parts, on the device.
        """
        parts = self._parts(len(batch))
        comparisons = self._comparisons(batch, masks, parts)
        rows: list[Tensor] = []
        for part, compare in zip(parts, comparisons, strict=True):
            # Gradients are summed here first: only the last part need send them to other processes.
            is_last = part is parts[-1]
            with nullcontext() if is_last else self.world.without_sync(self.parallel):
                losses = self.parallel(
                    batch.segments_PLM[part], batch.normalized_frames(part), masks.part(part), compare
                )
                backward(losses.total / len(parts))
            rows.append(losses.row_L)
        return torch.stack(rows)

    def _parts(self, num_pairs: int) -> list[slice]:
        size = num_pairs // self.config.loop.accumulation
        return [slice(start, start + size) for start in range(0, num_pairs, size)]

    def _comparisons(
        self, batch: Batch, masks: StepMasks, parts: list[slice]
    ) -> Sequence[PartContrast | None]:
        """For each part its comparison with all others, or None where it compares its own pairs alone."""
        shard = self.config.losses.contrast.shard_size
        fits = shard is not None and (parts[0].stop - parts[0].start) % shard == 0
        if len(parts) == 1 or fits or self.config.loop.contrast_over == "part":
            return [None] * len(parts)
        return compare_parts(
            lambda part: self.module.embed(
                batch.segments_PLM[part], batch.normalized_frames(part), masks.part(part)
            ),
            self.module.compare,
            parts,
        )

"""Painted examples: a red square on grey, whose mask is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.inputs import InputConfig
from cavmae_sync.tasks.localization.examples import Target


@dataclass
class Painted:
    """A red square on grey for each row: in the left half of even rows, in the right half of odd ones."""

    targets: Sequence[Target]
    config: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    clip_list: str = "c" * 64

    def image(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        image_HWC = np.full((pixels, pixels, 3), 90, np.uint8)
        image_HWC[grown(self.targets[row].mask(), pixels)] = (255, 0, 0)
        return image_HWC

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        generator = torch.Generator().manual_seed(row)
        return torch.randn(1 + row % 2, config.segment_length, 128, generator=generator)

    def heard(self, row: int, config: InputConfig) -> Tensor:
        return torch.ones(1 + row % 2, config.segment_length // 16, dtype=torch.bool)

    def sound(self, row: int) -> tuple[NDArray[np.float32], float | None]:
        return np.zeros(16_000, np.float32), 0.5 * row

    def salient(self, row: int) -> NDArray[np.bool_] | None:
        return self.targets[row].mask()


def grown(mask_HW: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    as_float = torch.from_numpy(mask_HW.astype(np.float32))[None, None]
    return F.interpolate(as_float, size=(pixels, pixels), mode="nearest")[0, 0].numpy() > 0.5


def mask(row: int) -> NDArray[np.bool_]:
    mask_HW = np.zeros((8, 8), bool)
    mask_HW[2:6, (1 if row % 2 == 0 else 5) :][:, :2] = True
    return mask_HW


@pytest.fixture
def painted() -> Painted:
    return Painted(
        targets=[
            Target.of(
                mask(row),
                name=f"row {row}",
                unit=row,
                class_name="dog" if row < 3 else "horn",
                groups=("several_objects",) if row in (1, 4) else (),
            )
            for row in range(6)
        ]
    )

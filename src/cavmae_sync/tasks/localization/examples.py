"""Examples of sound-prompted segmentation: an image, a sound as prompt, and the mask to be found.

Two sources: generated clips whose truth is known (`StageExamples`), and ADE20K with prompts of VGGSound
(`Ade20kExamples`).

Letters: R rows (examples), K windows of a prompt, L spectrogram frames per window, M mel bins, H W pixels,
C colours, or columns of patches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.inputs import InputConfig


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """Mask to be found in one example.

    Attributes:
        name: Image and sound, for people.
        unit: Number of the image or clip that the row comes from; intervals resample units.
        class_name: Class in whose pool the pixels count.
        groups: Subsets of rows that the row also belongs to, such as "several_objects".
        shape: Height and width of the mask.
        packed_mask: Bits of the mask, eight in a byte, so that thousands of masks fit into memory.
    """

    name: str
    unit: int
    class_name: str
    groups: tuple[str, ...]
    shape: tuple[int, int]
    packed_mask: bytes

    @classmethod
    def of(
        cls,
        mask_HW: NDArray[np.bool_],
        *,
        name: str,
        unit: int,
        class_name: str,
        groups: tuple[str, ...] = (),
    ) -> Self:
        """Target of a mask."""
        height, width = mask_HW.shape
        return cls(
            name=name,
            unit=unit,
            class_name=class_name,
            groups=groups,
            shape=(height, width),
            packed_mask=np.packbits(mask_HW).tobytes(),
        )

    def mask(self) -> NDArray[np.bool_]:
        """Mask, bool [H, W]."""
        return unpacked(self.packed_mask, self.shape)


class Examples(Protocol):
    """Examples, by row. Images and prompts are read on demand; targets are in memory.

    Attributes:
        config: Choices behind the examples, as JSON values.
        counts: Numbers of things left out, by name.
        clip_list: Fingerprint of the rows.
    """

    config: Mapping[str, Any]
    counts: Mapping[str, int]
    clip_list: str

    @property
    def targets(self) -> Sequence[Target]:
        """Masks to be found, in order."""
        ...

    def image(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        """Image of a row: uint8 [pixels, pixels, C]."""
        ...

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        """Sound of a row: normalised windows [K, L, M], whose maps are averaged."""
        ...

    def heard(self, row: int, config: InputConfig) -> Tensor:
        """Columns of patches on sound, not on padding, for each window of the prompt: bool [K, C]."""
        ...

    def sound(self, row: int) -> tuple[NDArray[np.float32], float | None]:
        """Sound of a row for other encoders: samples at 16 kHz, and the moment in it that is compared.

        The moment is in seconds; None where the whole sound is compared.
        """
        ...

    def salient(self, row: int) -> NDArray[np.bool_] | None:
        """Everything in the image that could make a sound, bool [H, W], for a baseline; None if not known."""
        ...


def unpacked(packed: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask of packed bits."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=shape[0] * shape[1])
    return bits.reshape(shape).astype(bool)

"""Pictures, the sounds that ask, and the masks that answer.

Two sources: generated clips whose truth is known (`StageExamples`), and ADE20K with prompts of VGGSound
(`Ade20kExamples`).

Letters: R rows (questions), K windows of a prompt, L spectrogram frames per window, M mel bins, H W pixels,
C colours.
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
    """The answer to one question.

    Attributes:
        name: Which picture and sound, for people.
        unit: Number of the picture or clip that the row comes from; what intervals resample.
        class_name: In whose pool its pixels count.
        groups: Subsets of rows that it also belongs to, such as "several_objects".
        shape: Height and width of the mask.
        packed_mask: Its bits, eight in a byte: thousands of masks stay in memory.
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
        """A target from its mask."""
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
        """Where the answer is: bool [H, W]."""
        return unpacked(self.packed_mask, self.shape)


class Examples(Protocol):
    """Questions and answers. Pictures and prompts are read when they are asked for; answers are at hand.

    Attributes:
        config: What was chosen, as JSON values.
        counts: Things left out, by name.
        clip_list: Fingerprint of the rows.
    """

    config: Mapping[str, Any]
    counts: Mapping[str, int]
    clip_list: str

    @property
    def targets(self) -> Sequence[Target]:
        """The answers, in order."""
        ...

    def picture(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        """The picture of a row: uint8 [pixels, pixels, C]."""
        ...

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        """The sound of a row: normalised windows [K, L, M], whose maps are averaged."""
        ...

    def heard(self, row: int, config: InputConfig) -> Tensor:
        """Which columns of patches of a prompt's windows lie on real sound, not on padding: bool [K, C]."""
        ...

    def sound(self, row: int) -> tuple[NDArray[np.float32], float | None]:
        """The sound of a row for other encoders: samples at 16 kHz, and the moment in it that asks.

        The moment is in seconds; None where the whole sound asks.
        """
        ...

    def salient(self, row: int) -> NDArray[np.bool_] | None:
        """All that could sound in a picture, bool [H, W], for a baseline; None where that is not known."""
        ...


def unpacked(packed: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask from its bits."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=shape[0] * shape[1])
    return bits.reshape(shape).astype(bool)

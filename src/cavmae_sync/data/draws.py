"""Randomness by counting: what is drawn follows from (seed, purpose, epoch, clip, occurrence) alone.

No generator is carried from one draw to the next, so the result does not depend on how many workers or
processes share the work, or on where a run was interrupted. The words come from Philox's raw stream, which
numpy keeps the same for ever (it does not promise that for `Generator.permutation`).
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What a word is drawn for. Different purposes never share words."""

    ORDER = 0
    FRAME = 1
    AUGMENT = 2
    MASK = 3
    MASK_RATIO = 4
    VALIDATION_MASK = 5
    MIXUP = 6


class Draw(NamedTuple):
    """One request for a clip, as the sampler hands it to a dataset.

    Attributes:
        epoch: Pass over the clips, from 0.
        clip: Row of the clip in the dataset.
        occurrence: How often this clip came before in this epoch (always 0 without replacement).
    """

    epoch: int
    clip: int
    occurrence: int = 0


def random_words(seed: int, purpose: Purpose, draw: Draw, *, num: int = 1) -> NDArray[np.uint64]:
    """Uniform 64-bit words that depend on the arguments alone.

    Args:
        seed: Seed of the run, 0 <= seed < 2**64.
        purpose: What the words are for.
        draw: Epoch, clip and occurrence.
        num: Number of words.

    Returns:
        uint64 array of `num` words; a longer array begins with the shorter one.
    """
    # The lowest word of the counter is the one Philox counts up, so the streams of two draws never meet.
    counter = np.array([0, draw.epoch, draw.clip, draw.occurrence], dtype=np.uint64)
    key = np.array([seed, int(purpose)], dtype=np.uint64)
    return np.asarray(np.random.Philox(counter=counter, key=key).random_raw(num), dtype=np.uint64)

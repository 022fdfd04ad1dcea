"""All parts, in the order of a run."""

from benchmarks.part import Part
from benchmarks.parts import (
    choices,
    cost,
    decode,
    features,
    library,
    log_mel,
    preparation,
    products,
    readers,
    similarity,
    step_path,
    training,
)

PARTS: tuple[Part, ...] = (
    products.PART,
    features.PART,
    *training.BASE,
    *training.SMALL,
    log_mel.SOUND,
    log_mel.FRAMES,
    *decode.PARTS,
    preparation.PREPARE,
    preparation.ITEMS,
    preparation.WAITING,
    step_path.PART,
    readers.READERS,
    *library.PARTS,
    *similarity.PARTS,
    *cost.PARTS,
    choices.INFERENCE,
    choices.TRAINING,
)

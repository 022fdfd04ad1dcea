"""Weights of clips in balanced sampling, as a file: one number a line, in the order of a list.

The file of a list `NAME.json` is called `NAME_weight.csv` (spec 1.5).
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.atomic import write_text
from cavmae_sync.data.lists.rows import read_text
from cavmae_sync.errors import DatasetError
from cavmae_sync.paper import BALANCE_OFFSET, BALANCE_SCALE


def balanced_weights(labels: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Weight of each clip such that every class is drawn about equally often.

    A class carried by n clips weighs 1000 / (n + 0.01); a clip weighs the sum over its classes. A clip
    without labels weighs nothing and is never drawn.

    Args:
        labels: The labels of each clip.

    Returns:
        float64 array, one weight per clip.

    Source:
        spec 1.5 (CAV-MAE, gen_weight_file.py).
    """
    counts: dict[str, int] = {}
    for names in labels:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    weight = {name: BALANCE_SCALE / (count + BALANCE_OFFSET) for name, count in counts.items()}
    return np.array([sum(weight[name] for name in names) for names in labels], dtype=np.float64)


def weights_path(list_path: Path) -> Path:
    """File of a list's weights.

    >>> weights_path(Path("lists/train.json"))
    PosixPath('lists/train_weight.csv')
    """
    return list_path.with_name(f"{list_path.stem}_weight.csv")


def read_weights(path: str | os.PathLike[str], *, num_clips: int) -> NDArray[np.float64]:
    """Read weights of a list.

    Args:
        path: The file.
        num_clips: Clips of the list that they are for.

    Returns:
        float64 array, one weight > 0 per clip.

    Raises:
        DatasetError: A line is no finite number > 0 (names it), or there are more or fewer than clips.
    """
    values: list[float] = []
    for line, text in enumerate(read_text(Path(path)).splitlines(), start=1):
        if not text.strip():
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise DatasetError(f"{path} line {line}: {text.strip()!r} is no weight, a finite number above 0.")
        values.append(value)
    if len(values) != num_clips:
        raise DatasetError(
            f"{path} has {len(values)} weights for {num_clips} clips. Weights belong to one list, in its "
            "order. Where clips are missing, write them anew: cavmae-sync list DATASET --write-weights FILE."
        )
    return np.array(values, dtype=np.float64)


def write_weights(path: Path, labels: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Write the weights that follow from the labels of a list; see `balanced_weights`.

    Raises:
        DatasetError: A clip has no label, and so no weight.
    """
    bare = [number for number, names in enumerate(labels) if not names]
    if bare:
        raise DatasetError(
            f"{len(bare)} of {len(labels)} clips have no label, the first is number {bare[0]}, so they have "
            "no weight. Leave them out of the list."
        )
    weights_N = balanced_weights(labels)
    write_text(path, "".join(f"{weight!r}\n" for weight in weights_N.tolist()))
    return weights_N

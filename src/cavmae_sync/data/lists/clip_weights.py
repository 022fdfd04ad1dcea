"""Weights of clips for balanced sampling, and their file: one number per line, in the order of a list.

The file for a list `NAME.json` is called `NAME_weight.csv`, as in CAV-MAE.
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
    """Weights of clips with which every class is drawn about equally often.

    A class of n clips has weight 1000 / (n + 0.01); a clip has the sum of the weights of its classes. A clip
    without labels has weight 0 and is never drawn.

    Args:
        labels: Labels of each clip.

    Returns:
        float64 array, one weight per clip.

    Source:
        CAV-MAE, gen_weight_file.py.
    """
    counts: dict[str, int] = {}
    for names in labels:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    weight = {name: BALANCE_SCALE / (count + BALANCE_OFFSET) for name, count in counts.items()}
    return np.array([sum(weight[name] for name in names) for names in labels], dtype=np.float64)


def weights_path(list_path: Path) -> Path:
    """Path of the file of weights for a list.

    >>> weights_path(Path("lists/train.json"))
    PosixPath('lists/train_weight.csv')
    """
    return list_path.with_name(f"{list_path.stem}_weight.csv")


def read_weights(path: str | os.PathLike[str], *, num_clips: int) -> NDArray[np.float64]:
    """Read the weights of a list.

    Args:
        path: The file.
        num_clips: Number of clips of the list.

    Returns:
        float64 array, one weight > 0 per clip.

    Raises:
        DatasetError: A line is not a finite number > 0 (names the line), or the number of weights is not
            `num_clips`.
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
            raise DatasetError(
                f"{path} line {line}: {text.strip()!r} is not a weight, that is a finite number above 0."
            )
        values.append(value)
    if len(values) != num_clips:
        raise DatasetError(
            f"{path} has {len(values)} weights for {num_clips} clips. Weights belong to one list, in its "
            "order. If clips are missing, write new ones: cavmae-sync list DATASET --write-weights FILE."
        )
    return np.array(values, dtype=np.float64)


def write_weights(path: Path, labels: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Write the `balanced_weights` of a list.

    Raises:
        DatasetError: A clip has no label, and so no weight.
    """
    unlabelled = [number for number, names in enumerate(labels) if not names]
    if unlabelled:
        raise DatasetError(
            f"{len(unlabelled)} of {len(labels)} clips have no label, the first is number {unlabelled[0]}, "
            "so they have no weight. Remove them from the list."
        )
    weights_N = balanced_weights(labels)
    write_text(path, "".join(f"{weight!r}\n" for weight in weights_N.tolist()))
    return weights_N

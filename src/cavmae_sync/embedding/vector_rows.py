"""Rows of vector files: numbers and ids are checked, and put in the order of the clips that are asked for."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.checks import first_names
from cavmae_sync.data.spellings import Spellings
from cavmae_sync.errors import DatasetError

#: Rows that are checked at once: bounds memory, never changes a result.
_BLOCK_ROWS: Final = 256


def checked_numbers(
    path: Path, name: str, values: NDArray[Any], *, axes: str, num_axes: Sequence[int], ids: Sequence[str]
) -> NDArray[np.float32]:
    """Numbers of an array as float32, all of them finite.

    Args:
        path: File, for messages.
        name: Name of the array.
        values: The array, as the file holds it.
        axes: Names of its axes, for messages.
        num_axes: Numbers of axes that it may have.
        ids: Name of each row, for messages.

    Raises:
        DatasetError: The numbers are whole, too wide, not finite, or have another number of axes or rows.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize > 8:
        raise DatasetError(
            f"{path}: {name} must be float16, float32 or float64, got {values.dtype}. "
            "Save with .astype('float32')."
        )
    if values.ndim not in num_axes or 0 in values.shape:
        raise DatasetError(f"{path}: {name} must be {axes}, and not empty; got {list(values.shape)}.")
    if len(ids) != len(values):
        raise DatasetError(f"{path}: {len(ids)} ids for {len(values)} rows of {name}. Give one for each.")
    twice = [each for each, count in Counter(ids).items() if count > 1]
    if twice:
        raise DatasetError(
            f"{path}: id {twice[0]!r} is there more than once. Give each row an id of its own."
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is named below
        numbers = np.asarray(values, np.float32)
    is_good = np.concatenate(
        [
            np.isfinite(numbers[start : start + _BLOCK_ROWS]).all(axis=tuple(range(1, numbers.ndim)))
            for start in range(0, len(numbers), _BLOCK_ROWS)
        ]
    )
    if bad := [each for each, good in zip(ids, is_good, strict=True) if not good]:
        raise DatasetError(
            f"{path}: {name} of {len(bad)} of {len(numbers)} rows hold NaN, infinity or numbers beyond "
            f"float32: {first_names(bad)}. They are not replaced by other numbers; make these rows again."
        )
    return numbers


def rows_in_order(path: Path, ids: Sequence[str], wanted: Sequence[str], *, other: str) -> list[int]:
    """Row of the file for each wanted id; ids may be in either form of Unicode.

    Args:
        path: File, for messages.
        ids: Ids of its rows.
        wanted: Ids in the order in which they are wanted.
        other: Owner of the wanted ids, for messages.

    Raises:
        DatasetError: Some ids are missing; says how many, which, and how many of the file are not wanted.
    """
    places = {each: row for row, each in enumerate(ids)}
    spellings = Spellings(ids)
    found = [places.get(spellings.find(each) or each) for each in wanted]
    if missing := [each for each, row in zip(wanted, found, strict=True) if row is None]:
        known = set(wanted)
        unknown = [each for each in ids if each not in known]
        raise DatasetError(
            f"{path} lacks {len(missing)} of the {len(wanted)} ids of {other}: {first_names(missing)}. It "
            f"has {len(unknown)} other ids{': ' if unknown else ''}{first_names(unknown)}. Make the file for "
            "all of them, with the same ids."
        )
    return [row for row in found if row is not None]


def name_of(path: Path, name: object) -> str:
    """Name of the model that made a file, as the file gives it, or the file name.

    Raises:
        DatasetError: `name` in the file is not a text.
    """
    if name is not None and not (isinstance(name, str) and name):
        raise DatasetError(f"{path}: name must be one text, got {name!r}.")
    return name or path.stem

"""Maps that any model made of the questions of segmentation, from a file.

Letters: R rows (questions), H W of a map.
"""

import hashlib
from collections import Counter
from pathlib import Path

import torch

from cavmae_sync.embedding.vector_formats import MAPS, read_vector_file
from cavmae_sync.embedding.vector_rows import checked_numbers, name_of, rows_in_order
from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.localization.examples import Examples
from cavmae_sync.tasks.localization.maps import ScoreMaps


def row_ids(examples: Examples) -> list[str]:
    """A name for every question: picture, sound and class; a repeated one has its number."""
    seen: Counter[str] = Counter()
    ids: list[str] = []
    for target in examples.targets:
        name = f"{target.name}, {target.class_name}"
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return ids


def read_maps(path: Path, examples: Examples) -> ScoreMaps:
    """Read a file of maps, .npz or Parquet: `maps`, floats [R, H, W], larger where the sound comes from.

    Each is brought to the size of its mask when it is measured. With `ids` (`row_ids`) the order may be any,
    and the file may hold maps of other questions, which are counted. Without, there must be one for every
    question, in order.

    Args:
        path: The file.
        examples: The questions.

    Raises:
        DatasetError: The file is damaged, lacks maps, or a number is NaN or infinite.
    """
    content = read_vector_file(path, MAPS)
    values, wanted = content.vectors["maps"], row_ids(examples)
    if content.ids is None and values.ndim and len(values) != len(wanted):
        raise DatasetError(
            f"{path} has {len(values)} maps and no ids, but there are {len(wanted)} questions. Give one for "
            "each in their order, or add ids (cavmae_sync.tasks.localization.map_files.row_ids)."
        )
    ids = content.ids or tuple(wanted[: len(values) if values.ndim else 0])
    maps_RHW = checked_numbers(
        path, "maps", values, axes="[questions, height, width]", num_axes=(3,), ids=ids
    )
    rows = rows_in_order(path, ids, wanted, other="questions")
    return ScoreMaps(
        maps=[torch.tensor(maps_RHW[row]) for row in rows],
        said_by=name_of(path, content.facts.get("name")),
        weights=hashlib.sha256(f"{maps_RHW.shape}".encode() + maps_RHW.tobytes()).hexdigest(),
        made_with={"maps": path.name},
        counts={"maps_of_other_questions": len(ids) - len(rows)},
    )

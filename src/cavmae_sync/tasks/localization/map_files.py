"""Map files: localisation maps that another model made for the same examples.

Letters: R rows (examples), H W of a map.
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
    """Id of every example, from image, sound and class; a repeated one gets a number."""
    seen: Counter[str] = Counter()
    ids: list[str] = []
    for target in examples.targets:
        name = f"{target.name}, {target.class_name}"
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return ids


def read_maps(path: Path, examples: Examples) -> ScoreMaps:
    """Read a map file, .npz or Parquet: `maps`, floats [R, H, W], larger where the sound comes from.

    Each map is resized to its mask when it is measured. With `ids` (`row_ids`) the order is free, and maps of
    other examples are ignored and counted. Without ids, the file must hold one map for every example, in
    order.

    Args:
        path: The file.
        examples: The examples.

    Raises:
        DatasetError: The file is damaged, lacks maps, or a number is NaN or infinite.
    """
    content = read_vector_file(path, MAPS)
    values, wanted = content.vectors["maps"], row_ids(examples)
    if content.ids is None and values.ndim and len(values) != len(wanted):
        raise DatasetError(
            f"{path} has {len(values)} maps and no ids, but there are {len(wanted)} examples. Give one map "
            "for each example, in order, or add ids (cavmae_sync.tasks.localization.map_files.row_ids)."
        )
    ids = content.ids or tuple(wanted[: len(values) if values.ndim else 0])
    maps_RHW = checked_numbers(path, "maps", values, axes="[examples, height, width]", num_axes=(3,), ids=ids)
    rows = rows_in_order(path, ids, wanted, other="examples")
    return ScoreMaps(
        maps=[torch.tensor(maps_RHW[row]) for row in rows],
        name=name_of(path, content.facts.get("name")),
        weights=hashlib.sha256(f"{maps_RHW.shape}".encode() + maps_RHW.tobytes()).hexdigest(),
        made_with={"maps": path.name},
        counts={"maps_of_other_questions": len(ids) - len(rows)},
    )

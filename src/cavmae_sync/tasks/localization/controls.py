"""What a model's maps are compared with: the truth itself, maps without a model, and spoilt questions.

Letters: R rows, H W patches or pixels, C colours, D width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.choices import MapRule
from cavmae_sync.embedding import Embedder
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.localization.examples import Examples, Target
from cavmae_sync.tasks.localization.maps import ScoreMaps, model_maps, prompt_vectors

#: Standard deviation of the central blob, as a part of the picture's side.
_BLOB_WIDTH = 0.25


def localization_controls(
    embedder: Embedder, examples: Examples, maps: ScoreMaps, *, rule: MapRule = "cosine"
) -> Iterator[ScoreMaps]:
    """Every control, one after the other.

    - `oracle`: the masks themselves. Must give 1.
    - `untrained`: a model of the same shape with random weights.
    - `swapped_sound`: the model, asked by the sound of a row of another class. Must fall; what is left says
      how much is gained by finding things at all.
    - `mirrored_map`: the model's maps mirrored left to right. Must fall; what is left is a liking for the
      middle.
    - `mirrored_picture`: maps of mirrored pictures, mirrored back. Must stay where the model is.
    - `every_object`: all objects that could sound, if that is known: knows objects, does not hear.
    - `unlike_background`: distance of each pixel's colour from the picture's median colour.
    - `centre`: a blob in the middle.
    - `constant`: the same everywhere: average precision by guessing, and IoU 0.

    Args:
        embedder: The model.
        examples: Questions and answers.
        maps: The model's own maps.
        rule: By which they were made.
    """
    targets = examples.targets
    yield oracle_maps(targets)
    fresh = untrained(embedder)
    of_fresh_RD = prompt_vectors(fresh, examples, rule=rule)
    yield model_maps(fresh, examples, of_fresh_RD, rule=rule, said_by="untrained")
    vectors_RD = prompt_vectors(embedder, examples, rule=rule)
    swapped_RD = vectors_RD[torch.from_numpy(rows_of_other_classes(targets))]
    yield model_maps(embedder, examples, swapped_RD, rule=rule, said_by="swapped_sound")
    yield _mirrored(maps)
    yield model_maps(embedder, examples, vectors_RD, rule=rule, said_by="mirrored_picture", is_flipped=True)
    yield from _without_hearing(examples)


def map_controls(examples: Examples, maps: ScoreMaps) -> Iterator[ScoreMaps]:
    """The controls of maps that somebody else made, for which there is no model to ask again.

    As `localization_controls`; in the place of a swapped sound stands `swapped_map`, the map of a row of
    another class. It must fall; what is left says how alike all maps are.
    """
    yield oracle_maps(examples.targets)
    others = rows_of_other_classes(examples.targets)
    yield replace(maps, maps=[maps.maps[row] for row in others], said_by="swapped_map", counts={})
    yield _mirrored(maps)
    yield from _without_hearing(examples)


def _mirrored(maps: ScoreMaps) -> ScoreMaps:
    return replace(maps, maps=[map_HW.flip(1) for map_HW in maps.maps], said_by="mirrored_map", counts={})


def _without_hearing(examples: Examples) -> Iterator[ScoreMaps]:
    targets = examples.targets
    salient = [mask for mask in map(examples.salient, range(len(targets))) if mask is not None]
    if len(salient) == len(targets):
        yield ScoreMaps(maps=_as_maps(salient), said_by="every_object")
    yield unlike_background_maps(examples)
    yield centre_maps(targets)
    yield ScoreMaps(maps=[torch.zeros(1, 1)] * len(targets), said_by="constant")


def oracle_maps(targets: Sequence[Target]) -> ScoreMaps:
    """The answers as maps."""
    return ScoreMaps(maps=_as_maps([target.mask() for target in targets]), said_by="oracle")


def unlike_background_maps(examples: Examples) -> ScoreMaps:
    """Distance of each pixel's colour from the median colour of its picture."""
    maps = []
    for row, target in enumerate(examples.targets):
        picture_HWC = examples.picture(row, pixels=min(target.shape))
        colours_HWC = torch.from_numpy(picture_HWC.astype(np.float32))
        median_C = colours_HWC.flatten(0, 1).median(dim=0).values
        maps.append(torch.linalg.vector_norm(colours_HWC - median_C, dim=-1))
    return ScoreMaps(maps=maps, said_by="unlike_background")


def centre_maps(targets: Sequence[Target]) -> ScoreMaps:
    """A round blob in the middle of each picture."""
    return ScoreMaps(maps=[_blob(*target.shape) for target in targets], said_by="centre")


def rows_of_other_classes(targets: Sequence[Target]) -> NDArray[np.int64]:
    """For each row another one of another class: the next half-way around among rows sorted by class.

    Where one class has more than half of the rows, some meet their own class; with one class all do.
    """
    order = np.argsort([target.class_name for target in targets], kind="stable")
    partner = np.empty(len(targets), np.int64)
    partner[order] = np.roll(order, len(targets) // 2)
    return partner


def _as_maps(masks: Sequence[NDArray[np.bool_]]) -> list[Tensor]:
    return [torch.from_numpy(mask_HW.astype(np.float32)) for mask_HW in masks]


def _blob(height: int, width: int) -> Tensor:
    down_H, right_W = (torch.linspace(-0.5, 0.5, side) for side in (height, width))
    return torch.exp(-(down_H[:, None].square() + right_W.square()) / (2 * _BLOB_WIDTH**2))

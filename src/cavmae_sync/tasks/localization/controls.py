"""Controls of localisation maps: the truth itself, maps made without a model, and examples with one fault.

Letters: R rows (examples), H W patches or pixels, C colours, D width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.maps import MapConfig
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.localization.examples import Examples, Target
from cavmae_sync.tasks.localization.maps import ScoreMaps, model_maps, prompt_vectors

#: Standard deviation of the central blob, as a fraction of the image's side.
_BLOB_WIDTH = 0.25


def localization_controls(
    embedder: Embedder, examples: Examples, maps: ScoreMaps, config: MapConfig
) -> Iterator[ScoreMaps]:
    """Maps of every control, one control after the other.

    - `oracle`: the masks themselves. Must give 1.
    - `untrained`: a model of the same shape with random weights.
    - `swapped_sound`: the model, prompted by the sound of a row of another class. Must be worse; what remains
      is gained without hearing, by finding objects at all.
    - `mirrored_map`: the model's maps mirrored left to right. Must be worse; what remains comes from a bias
      to the centre.
    - `mirrored_picture`: maps of mirrored images, mirrored back. Must be as good as the model.
    - `every_object`: all objects that could make a sound, if they are known: sees objects, does not hear.
    - `unlike_background`: distance of each pixel's colour from the median colour of the image.
    - `centre`: a blob in the middle.
    - `constant`: the same everywhere: average precision of guessing, and IoU 0.

    Args:
        embedder: The model.
        examples: The examples.
        maps: The model's own maps.
        config: How they were made; the controls are made in the same way.
    """
    targets = examples.targets
    yield oracle_maps(targets)
    fresh = untrained(embedder)
    fresh_RD = prompt_vectors(fresh, examples, config)
    yield model_maps(fresh, examples, fresh_RD, config, name="untrained")
    vectors_RD = prompt_vectors(embedder, examples, config)
    swapped_RD = vectors_RD[torch.from_numpy(rows_of_other_classes(targets))]
    yield model_maps(embedder, examples, swapped_RD, config, name="swapped_sound")
    yield _mirrored_map(maps)
    yield model_maps(embedder, examples, vectors_RD, config, name="mirrored_picture", is_flipped=True)
    yield from _maps_without_sound(examples)


def map_controls(examples: Examples, maps: ScoreMaps) -> Iterator[ScoreMaps]:
    """Controls of maps from a file, whose model cannot be run here.

    As `localization_controls`, but with `swapped_map`, the map of a row of another class, in the place of
    `swapped_sound`. It must be worse; what remains says how similar all maps are.
    """
    yield oracle_maps(examples.targets)
    others = rows_of_other_classes(examples.targets)
    yield replace(maps, maps=[maps.maps[row] for row in others], name="swapped_map", counts={})
    yield _mirrored_map(maps)
    yield from _maps_without_sound(examples)


def _mirrored_map(maps: ScoreMaps) -> ScoreMaps:
    return replace(maps, maps=[map_HW.flip(1) for map_HW in maps.maps], name="mirrored_map", counts={})


def _maps_without_sound(examples: Examples) -> Iterator[ScoreMaps]:
    targets = examples.targets
    salient = [mask for mask in map(examples.salient, range(len(targets))) if mask is not None]
    if len(salient) == len(targets):
        yield ScoreMaps(maps=_as_maps(salient), name="every_object")
    yield unlike_background_maps(examples)
    yield centre_maps(targets)
    yield ScoreMaps(maps=[torch.zeros(1, 1)] * len(targets), name="constant")


def oracle_maps(targets: Sequence[Target]) -> ScoreMaps:
    """Masks as maps."""
    return ScoreMaps(maps=_as_maps([target.mask() for target in targets]), name="oracle")


def unlike_background_maps(examples: Examples) -> ScoreMaps:
    """Distance of each pixel's colour from the median colour of its image."""
    maps = []
    for row, target in enumerate(examples.targets):
        image_HWC = examples.image(row, pixels=min(target.shape))
        colours_HWC = torch.from_numpy(image_HWC.astype(np.float32))
        median_C = colours_HWC.flatten(0, 1).median(dim=0).values
        maps.append(torch.linalg.vector_norm(colours_HWC - median_C, dim=-1))
    return ScoreMaps(maps=maps, name="unlike_background")


def centre_maps(targets: Sequence[Target]) -> ScoreMaps:
    """Round blob in the middle of each image."""
    return ScoreMaps(maps=[_blob(*target.shape) for target in targets], name="centre")


def rows_of_other_classes(targets: Sequence[Target]) -> NDArray[np.int64]:
    """Index of a row of another class for each row: the row half-way round the list sorted by class.

    Where one class has more than half of the rows, some rows get their own class; with one class all do.
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

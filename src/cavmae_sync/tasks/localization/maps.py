"""Localisation maps of all examples.

Letters: R rows (examples), P pairs of a sound and a frame, H W patches or pixels, D width, N patches in
reading order, K windows of a prompt, C columns of patches in a window (16 spectrogram frames each), F rows of
patches in frequency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.embedding.rows import finite
from cavmae_sync.inputs import normalize_frames
from cavmae_sync.maps import MapConfig, localization_maps, patch_vectors, sound_vectors
from cavmae_sync.tasks.localization.examples import Examples
from cavmae_sync.weights import weights_fingerprint

_BATCH_SEGMENTS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoreMaps:
    """Maps of all examples, of a model, a file or a control.

    Attributes:
        maps: One float32 [H, W] per row, of any size; resized to the mask when it is measured.
        name: "model", or the name of a control or of another model.
        weights: Fingerprint of the model's weights, or of a file; empty where there is neither.
        made_with: How the maps were made, for the report: JSON values.
        counts: Numbers about the maps, for the report.
        unit_text: Words for their values, for the scale of a figure.
    """

    maps: Sequence[Tensor]
    name: str
    weights: str = ""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    unit_text: str = "value of the map"


_COSINE: Final = MapConfig()


def prompt_vectors(embedder: Embedder, examples: Examples, config: MapConfig = _COSINE) -> Tensor:
    """Vector of the prompt of each row, float32 [R, D]: the map is its product with every patch.

    It is the mean over the windows of the prompt (`sound_vectors`), so that the map is the mean of their
    maps. With `config.contrast`, the mean over the prompts of all rows is taken off.
    """
    vectors: list[Tensor] = []
    held: dict[int, Tensor] = {}
    inputs, num_rows = embedder.model.config.inputs, len(examples.targets)
    for row in range(num_rows):
        held[row] = examples.prompt(row, inputs)
        if sum(map(len, held.values())) >= _BATCH_SEGMENTS or row == num_rows - 1:
            prompts = list(held.values())
            heard = [examples.heard(each, inputs) for each in held] if config.map == "denseav" else None
            vectors.append(sound_vectors(embedder, prompts, config, heard=heard))
            held.clear()
    vectors_RD = finite(torch.cat(vectors), precision=embedder.precision)
    return vectors_RD - vectors_RD.mean(dim=0) if config.contrast else vectors_RD


def model_maps(
    embedder: Embedder,
    examples: Examples,
    vectors_RD: Tensor,
    config: MapConfig = _COSINE,
    *,
    name: str = "model",
    is_flipped: bool = False,
    on_progress: OnProgress | None = None,
) -> ScoreMaps:
    """Product of each row's prompt with every patch of its image.

    Args:
        embedder: The model.
        examples: Source of the images.
        vectors_RD: Vectors of the prompts, by the same rule.
        config: How a map is made.
        name: Name of the maps.
        is_flipped: Show the model every image mirrored left to right, and mirror its maps back.
        on_progress: Called with rows done and rows in all.
    """
    maps: list[Tensor] = []
    shape = embedder.model.config
    pixels = shape.inputs.frame_pixels
    for rows in torch.arange(len(vectors_RD)).split(embedder.batch_size):
        frames_RHWC = torch.from_numpy(np.stack([examples.image(int(row), pixels=pixels) for row in rows]))
        shown_RHWC = frames_RHWC.flip(2) if is_flipped else frames_RHWC
        patches_RND = patch_vectors(embedder, normalize_frames(shown_RHWC), config)
        of_rows = localization_maps(vectors_RD[rows], patches_RND, grid=shape.visual_grid)
        maps.extend(of_rows.flip(2) if is_flipped else of_rows)
        if on_progress is not None:
            on_progress(len(maps), len(vectors_RD))
    return ScoreMaps(
        maps=maps,
        name=name,
        weights=weights_fingerprint(embedder.model),
        made_with=config.settings(),
        unit_text=config.unit_text,
    )

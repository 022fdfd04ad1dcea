"""Localisation maps: the similarity of a sound with every patch of an image.

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
from torch.nn import functional as F

from cavmae_sync.choices import MapRule
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.embedding.rows import finite
from cavmae_sync.inputs import normalize_frames
from cavmae_sync.tasks.localization.examples import Examples
from cavmae_sync.weights import weights_fingerprint


def localization_maps(audio_PD: Tensor, patches_PND: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Cosine of each sound with every patch of its frame.

    Args:
        audio_PD: Unit rows, one sound per frame; or means of unit rows, which give the mean of their maps.
        patches_PND: Unit rows in reading order (`VisualEmbedding.patches_PND`).
        grid: Patches from top to bottom and from left to right (`ModelConfig.visual_grid`).

    Returns:
        float32 [P, H, W] in [-1, 1], one value per patch.

    Raises:
        ValueError: Shapes disagree.

    Source:
        Paper, sound-prompted segmentation: the global audio token with every visual patch token.
    """
    num_pairs, num_patches, width = patches_PND.shape
    if audio_PD.shape != (num_pairs, width) or grid[0] * grid[1] != num_patches:
        raise ValueError(
            "Localisation maps need one sound per frame and a grid of all patches, got "
            f"{tuple(audio_PD.shape)} sounds, {tuple(patches_PND.shape)} patches and a grid of {grid[0]} x "
            f"{grid[1]}."
        )
    return (patches_PND @ audio_PD[:, :, None])[:, :, 0].unflatten(1, grid)


def resized_maps(maps_PHW: Tensor, *, height: int, width: int) -> Tensor:
    """Maps at another size, [P, height, width], interpolated between the centres of patches.

    Source:
        DenseAV's protocol: bilinear, align_corners=False.
    """
    if maps_PHW.shape[1:] == (height, width):
        return maps_PHW
    return F.interpolate(maps_PHW[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]


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
    """

    maps: Sequence[Tensor]
    name: str
    weights: str = ""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


def prompt_vectors(embedder: Embedder, examples: Examples, *, rule: MapRule = "cosine") -> Tensor:
    """Vector of the prompt of each row, float32 [R, D]: the map is its product with every patch.

    By "cosine" it is the mean of the unit vectors of the windows, so that the map is the mean of their maps.
    By "denseav" it is the mean of the sound's patch vectors, not divided by their lengths, over the columns
    that have sound. In both, one product with a mean replaces a mean of many products.
    """
    vectors: list[Tensor] = []
    held: dict[int, Tensor] = {}
    inputs, num_rows = embedder.model.config.inputs, len(examples.targets)
    for row in range(num_rows):
        held[row] = examples.prompt(row, inputs)
        if sum(map(len, held.values())) >= _BATCH_SEGMENTS or row == num_rows - 1:
            prompts = list(held.values())
            if rule == "cosine":
                vectors.append(_mean_vectors(embedder, prompts))
            else:
                heard = [examples.heard(each, inputs) for each in held]
                vectors.append(_mean_patches(embedder, prompts, heard))
            held.clear()
    return finite(torch.cat(vectors), precision=embedder.precision)


def model_maps(
    embedder: Embedder,
    examples: Examples,
    vectors_RD: Tensor,
    *,
    rule: MapRule = "cosine",
    name: str = "model",
    is_flipped: bool = False,
    on_progress: OnProgress | None = None,
) -> ScoreMaps:
    """Product of each row's prompt with every patch of its image.

    Args:
        embedder: The model.
        examples: Source of the images.
        vectors_RD: Vectors of the prompts, by the same rule.
        rule: "cosine" divides patches by their lengths, "denseav" does not.
        name: Name of the maps.
        is_flipped: Show the model every image mirrored left to right, and mirror its maps back.
        on_progress: Called with rows done and rows in all.
    """
    config = embedder.model.config
    maps: list[Tensor] = []
    pixels = config.inputs.frame_pixels
    for rows in torch.arange(len(vectors_RD)).split(embedder.batch_size):
        frames_RHWC = torch.from_numpy(np.stack([examples.image(int(row), pixels=pixels) for row in rows]))
        shown_RHWC = frames_RHWC.flip(2) if is_flipped else frames_RHWC
        patches_RND = finite(
            _patches(embedder, normalize_frames(shown_RHWC), rule), precision=embedder.precision
        )
        of_rows = localization_maps(vectors_RD[rows], patches_RND, grid=config.visual_grid)
        maps.extend(of_rows.flip(2) if is_flipped else of_rows)
        if on_progress is not None:
            on_progress(len(maps), len(vectors_RD))
    return ScoreMaps(
        maps=maps, name=name, weights=weights_fingerprint(embedder.model), made_with={"rule": rule}
    )


def _patches(embedder: Embedder, frames_RCHW: Tensor, rule: MapRule) -> Tensor:
    """Vectors of all patches of images, [R, N, D]."""
    if rule == "denseav":
        encode = embedder.model.encode_visual
        return embedder.distinct_rows(frames_RCHW, lambda some: encode(some).patch_tokens_PND.float())
    patches_RND = embedder.embed_frames(frames_RCHW, with_patches=True).patches_PND
    if patches_RND is None:
        raise AssertionError("Vectors of patches were asked for, but there are none.")
    return patches_RND


def _mean_vectors(embedder: Embedder, prompts: Sequence[Tensor]) -> Tensor:
    vectors = embedder.embed_segments(torch.cat(list(prompts)))
    return torch.stack([windows.mean(dim=0) for windows in vectors.split([len(p) for p in prompts])])


def _mean_patches(embedder: Embedder, prompts: Sequence[Tensor], heard: Sequence[Tensor]) -> Tensor:
    """Mean of the sound's patches over frequency and over the columns that have sound, [R, D].

    A prompt without sound takes its first column, because a mean of nothing is NaN.

    Source:
        DenseAV denseav/aggregators.py, denseav/eval_utils.py.
    """
    encode, num_rows = embedder.model.encode_audio, embedder.model.config.audio_grid[0]
    tokens_PND = embedder.distinct_rows(
        torch.cat(list(prompts)), lambda some: encode(some).patch_tokens_PND.float()
    )
    columns_PCD = tokens_PND.unflatten(1, (num_rows, -1)).mean(dim=1)
    vectors: list[Tensor] = []
    for columns_KCD, heard_KC in zip(columns_PCD.split([len(p) for p in prompts]), heard, strict=True):
        counted = heard_KC.clone()
        counted[0, 0] |= not heard_KC.any()
        vectors.append(columns_KCD[counted].mean(dim=0))
    return torch.stack(vectors)

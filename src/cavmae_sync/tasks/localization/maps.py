"""Localisation maps: for every patch of an image, how well a sound fits it.

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
        Spec 4.5: the global audio token with every visual patch token.
    """
    num_pairs, num_patches, width = patches_PND.shape
    if audio_PD.shape != (num_pairs, width) or grid[0] * grid[1] != num_patches:
        raise ValueError(
            "Heat maps need one sound per frame and a grid of all patches, got "
            f"{tuple(audio_PD.shape)} "
            f"sounds, {tuple(patches_PND.shape)} patches and a grid of {grid[0]} x {grid[1]}."
        )
    return (patches_PND @ audio_PD[:, :, None])[:, :, 0].unflatten(1, grid)


def resized_maps(maps_PHW: Tensor, *, height: int, width: int) -> Tensor:
    """Maps at another size, [P, height, width], bilinear between the middles of patches.

    Source:
        Spec 4.5: bilinear, align_corners=False.
    """
    if maps_PHW.shape[1:] == (height, width):
        return maps_PHW
    return F.interpolate(maps_PHW[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]


_BATCH_SEGMENTS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoreMaps:
    """What somebody says about where each answer is.

    Attributes:
        maps: One float32 [H, W] per row, of any size; brought to the size of the mask when it is measured.
        said_by: "model", or the name of a control.
        weights: Fingerprint of the model's weights, or of a file; empty where there is neither.
        made_with: What was chosen in making them, for the report.
        counts: Numbers about them, for the report.
    """

    maps: Sequence[Tensor]
    said_by: str
    weights: str = ""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


def prompt_vectors(embedder: Embedder, examples: Examples, *, rule: MapRule = "cosine") -> Tensor:
    """One vector per row, float32 [R, D]: what asks, so that a map is its product with every patch.

    By "cosine" it is the mean of the windows' unit vectors, which averages their maps. By "denseav" it is the
    mean of the patches of sound, as long as they are, where there is sound: the mean of all products of a
    patch is its product with the mean.
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
    said_by: str = "model",
    is_flipped: bool = False,
    on_progress: OnProgress | None = None,
) -> ScoreMaps:
    """The product of each row's sound with every patch of its picture.

    Args:
        embedder: The model.
        examples: Where the pictures come from.
        vectors_RD: What asks, one per row, by the same rule.
        rule: Whether patches are divided by their length.
        said_by: Name of the maps.
        is_flipped: Show the model every picture mirrored left to right, and mirror its maps back.
        on_progress: Called with rows done and rows in all.
    """
    config = embedder.model.config
    maps: list[Tensor] = []
    pixels = config.inputs.frame_pixels
    for rows in torch.arange(len(vectors_RD)).split(embedder.batch_size):
        frames_RHWC = torch.from_numpy(np.stack([examples.picture(int(row), pixels=pixels) for row in rows]))
        shown_RHWC = frames_RHWC.flip(2) if is_flipped else frames_RHWC
        patches_RND = finite(
            _patches(embedder, normalize_frames(shown_RHWC), rule), precision=embedder.precision
        )
        of_rows = localization_maps(vectors_RD[rows], patches_RND, grid=config.visual_grid)
        maps.extend(of_rows.flip(2) if is_flipped else of_rows)
        if on_progress is not None:
            on_progress(len(maps), len(vectors_RD))
    return ScoreMaps(
        maps=maps, said_by=said_by, weights=weights_fingerprint(embedder.model), made_with={"rule": rule}
    )


def _patches(embedder: Embedder, frames_RCHW: Tensor, rule: MapRule) -> Tensor:
    """Vectors of all patches, [R, N, D]."""
    if rule == "denseav":
        encode = embedder.model.encode_visual
        return embedder.distinct_rows(frames_RCHW, lambda some: encode(some).patch_tokens_PND.float())
    patches_RND = embedder.embed_frames(frames_RCHW, with_patches=True).patches_PND
    if patches_RND is None:
        raise AssertionError("Patches were asked for.")
    return patches_RND


def _mean_vectors(embedder: Embedder, prompts: Sequence[Tensor]) -> Tensor:
    vectors = embedder.embed_segments(torch.cat(list(prompts)))
    return torch.stack([windows.mean(dim=0) for windows in vectors.split([len(p) for p in prompts])])


def _mean_patches(embedder: Embedder, prompts: Sequence[Tensor], heard: Sequence[Tensor]) -> Tensor:
    """Mean over frequency and over the columns that have sound, [R, D]; without any, over the first column.

    Source:
        Spec 4.5; DenseAV denseav/aggregators.py, denseav/eval_utils.py.
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

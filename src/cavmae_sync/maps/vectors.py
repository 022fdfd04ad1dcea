"""Vectors of patches and of sounds, by each rule: their products are the map.

P frames or segments, R prompts, K windows of a prompt, L spectrogram frames of a window, C channels, or
columns of patches in a window, H W pixels, N patches in reading order, D width, V views.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.rows import finite
from cavmae_sync.maps.attention import attention_vectors
from cavmae_sync.maps.config import MapConfig
from cavmae_sync.maps.regression import ridge_weights
from cavmae_sync.maps.views import Views, draw_views
from cavmae_sync.model import Modality


def patch_vectors(embedder: Embedder, frames_PCHW: Tensor, config: MapConfig) -> Tensor:
    """Vectors of all patches of frames, float32 [P, N, D] on the CPU.

    - "cosine": the aligned patch tokens, divided by their lengths.
    - "denseav": the same, not divided.
    - "masking": what showing the patch adds to the vector of the frame (`masked_vectors`).
    - "attention": what attention carries from the patch to the vector of the frame (`attention_vectors`).

    Args:
        embedder: The model and how it computes.
        frames_PCHW: Normalised frames.
        config: The rule.

    Raises:
        WeightsError: The model gives vectors that are not finite.
        ConfigError: Blocks of the chosen size do not fill a frame, or the rule needs a global token that the
            model has not.
    """
    if config.map == "attention":
        return finite(attention_vectors(embedder, frames_PCHW), precision=embedder.precision)
    if config.map == "masking":
        return masked_vectors(embedder, frames_PCHW, frame_views(embedder, config), config, modality="visual")
    if config.map == "denseav":
        encode = embedder.model.encode_visual
        patches_PND = embedder.distinct_rows(frames_PCHW, lambda rows: encode(rows).patch_tokens_PND.float())
    else:
        unit_PND = embedder.embed_frames(frames_PCHW, with_patches=True).patches_PND
        if unit_PND is None:
            raise AssertionError("Vectors of patches were asked for, but there are none.")
        patches_PND = unit_PND
    return finite(patches_PND, precision=embedder.precision)


def sound_vectors(
    embedder: Embedder,
    prompts: Sequence[Tensor],
    config: MapConfig,
    *,
    heard: Sequence[Tensor] | None = None,
) -> Tensor:
    """Vector of each prompt, float32 [R, D] on the CPU: the mean over its windows.

    By all rules but "denseav" it is the mean of the unit vectors of the windows. By "denseav" it is the mean
    of their patch vectors, not divided by their lengths, over frequency and over the columns that have sound.

    Args:
        embedder: The model and how it computes.
        prompts: Normalised windows of each prompt, [K, L, 128].
        config: The rule.
        heard: Columns that have sound, for each window of each prompt, bool [K, C]; None is all of them. A
            prompt without sound takes its first column, because a mean of nothing is NaN.

    Source:
        DenseAV denseav/aggregators.py, denseav/eval_utils.py.
    """
    num_windows = [len(prompt) for prompt in prompts]
    windows = torch.cat(list(prompts))
    if config.map != "denseav":
        of_prompts = embedder.embed_segments(windows).split(num_windows)
        return torch.stack([vectors_KD.mean(dim=0) for vectors_KD in of_prompts])
    encode, num_rows = embedder.model.encode_audio, embedder.model.config.audio_grid[0]
    tokens_PND = embedder.distinct_rows(windows, lambda rows: encode(rows).patch_tokens_PND.float())
    columns_PCD = tokens_PND.unflatten(1, (num_rows, -1)).mean(dim=1)
    if heard is None:
        heard = [torch.ones(num, columns_PCD.shape[1], dtype=torch.bool) for num in num_windows]
    vectors: list[Tensor] = []
    for columns_KCD, heard_KC in zip(columns_PCD.split(num_windows), heard, strict=True):
        counted_KC = heard_KC.clone()
        counted_KC[0, 0] |= not heard_KC.any()
        vectors.append(columns_KCD[counted_KC].mean(dim=0))
    return torch.stack(vectors)


def frame_views(embedder: Embedder, config: MapConfig) -> Views:
    """Views of a frame, the same for all frames of a model.

    Raises:
        ConfigError: Blocks of the chosen size do not fill a frame, or one of them is the whole frame.
    """
    grid = embedder.model.config.visual_grid
    side = config.block_side(grid[0])
    return draw_views(
        grid,
        block=(side, side),
        num_views=config.num_masks,
        ratio=config.mask_ratio,
        seed=config.mask_seed,
    )


def masked_vectors(
    embedder: Embedder, inputs: Tensor, views: Views, config: MapConfig, *, modality: Modality
) -> Tensor:
    """What showing each patch adds to the vector of its input, float32 [P, N, D] on the CPU.

    The vector of every view is regressed on which patches the view shows. The product of the coefficient of a
    patch with the vector of a sound is the coefficient that a regression of their cosines would have, so one
    set of views serves all sounds. A model of this family is trained on inputs with hidden patches: views are
    nothing new to it.

    Args:
        embedder: The model and how it computes.
        inputs: Normalised frames [P, C, H, W] or segments [P, L, 128].
        views: Patches that are shown.
        config: Penalty of the regression.
        modality: Which of the two the inputs are.

    Raises:
        WeightsError: The model gives vectors that are not finite.

    Source:
        RISE (Petsiuk et al. 2018) and LIME (Ribeiro et al. 2016), with hidden tokens in the place of grey.
    """
    values_PVD = finite(
        embedder.embed_views(inputs, views.shown_VK, modality=modality), precision=embedder.precision
    )
    weights_NV = ridge_weights(views.is_shown(), ridge=config.ridge)
    return torch.einsum("nv,pvd->pnd", weights_NV, values_PVD)

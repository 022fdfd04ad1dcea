"""Maps of all examples: prompts of several windows, and the mean sound taken off."""

import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.maps import MapConfig
from cavmae_sync.tasks.localization.maps import model_maps, prompt_vectors

from ...small_models import small_model
from .conftest import Painted

MASKING = MapConfig(map="masking", num_masks=8, mask_ratio=0.5)


def test_a_prompt_of_several_windows_is_their_mean(embedder: Embedder, painted: Painted):
    vectors_RD = prompt_vectors(embedder, painted)
    windows_KD = embedder.embed_segments(painted.prompt(3, embedder.model.config.inputs))
    torch.testing.assert_close(vectors_RD[3], windows_KD.mean(dim=0))


def test_with_contrast_the_mean_of_all_prompts_asks_for_nothing(painted: Painted):
    embedder = Embedder(small_model(frame_pixels=32), device="cpu")
    plain_RD = prompt_vectors(embedder, painted, MASKING)
    contrast = MASKING.model_copy(update={"contrast": True})
    vectors_RD = prompt_vectors(embedder, painted, contrast)
    torch.testing.assert_close(vectors_RD, plain_RD - plain_RD.mean(dim=0))
    mean_RD = plain_RD.mean(dim=0).expand_as(plain_RD)
    of_mean = model_maps(embedder, painted, mean_RD, MASKING).maps
    own = model_maps(embedder, painted, plain_RD, MASKING).maps
    for map_HW, own_HW, mean_HW in zip(
        model_maps(embedder, painted, vectors_RD, contrast).maps, own, of_mean, strict=True
    ):
        torch.testing.assert_close(map_HW, own_HW - mean_HW, atol=1e-5, rtol=1e-4)

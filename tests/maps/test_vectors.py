"""Vectors of patches by masking: where the answer is known, one by one, and by another regression."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.maps import MapConfig, localization_maps, masked_vectors, patch_vectors, sound_vectors
from cavmae_sync.maps.vectors import frame_views
from cavmae_sync.maps.views import draw_views
from cavmae_sync.model import Mask, Modality
from cavmae_sync.model.patches import patchify

from ..small_models import small_model

MASKING = MapConfig(map="masking", num_masks=40, mask_ratio=0.75)


def embedder(**changes) -> Embedder:
    return Embedder(small_model(frame_pixels=64, segment_length=96, **changes), device="cpu")


def frames(num: int = 3, *, seed: int = 0) -> Tensor:
    return torch.randn(num, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


class AddsUp(Embedder):
    """An encoder whose vector of a view is a constant and the sum of what the shown patches say."""

    said_PND = torch.randn(3, 16, 4, generator=torch.Generator().manual_seed(0))

    def embed_views(self, inputs: Tensor, shown_VK: Tensor, *, modality: Modality) -> Tensor:
        assert modality == "visual"
        return 5.0 + self.said_PND[: len(inputs), shown_VK].sum(dim=2)


class TestMasking:
    def test_of_an_encoder_that_adds_up_it_is_what_each_patch_says(self):
        exact = AddsUp(small_model(frame_pixels=64, segment_length=96), device="cpu")
        config = MapConfig(map="masking", num_masks=100, mask_ratio=0.6, ridge=1e-6)
        found_PND = patch_vectors(exact, frames(), config)
        # All views show as many patches, so a constant on all patches cannot be told from the intercept.
        centred = [x - x.mean(dim=1, keepdim=True) for x in (found_PND, AddsUp.said_PND)]
        torch.testing.assert_close(*centred, atol=1e-4, rtol=1e-4)

    def test_views_are_what_a_mask_shows(self):
        """The views of all frames in one pass equal one pass of the model for each frame and mask."""
        found = embedder()
        views = frame_views(found, MASKING)
        values_PVD = found.embed_views(frames(), views.shown_VK, modality="visual")
        for p, frame_CHW in enumerate(frames()):
            for v, (shown_K, is_shown_N) in enumerate(zip(views.shown_VK, views.is_shown(), strict=True)):
                mask = Mask(keep_PK=shown_K[None], hidden_PN=~is_shown_N[None])
                with torch.no_grad():
                    token_D = found.model.encode_visual(frame_CHW[None], mask).global_token_PD[0]
                torch.testing.assert_close(values_PVD[p, v], token_D / token_D.norm(), atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize("batch_size", [1, 2, 64])
    def test_the_size_of_batches_changes_nothing(self, batch_size: int):
        one = patch_vectors(embedder().replace(batch_size=batch_size), frames(), MASKING)
        torch.testing.assert_close(one, patch_vectors(embedder(), frames(), MASKING), atol=1e-5, rtol=1e-4)

    def test_frames_do_not_see_each_other(self):
        together = patch_vectors(embedder(), frames(), MASKING)
        alone = torch.cat([patch_vectors(embedder(), frame[None], MASKING) for frame in frames()])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)

    def test_the_map_is_the_regression_of_the_cosines(self):
        """Products of vectors of patches with a sound are the coefficients of numpy's least squares."""
        found = embedder()
        sound_D = torch.nn.functional.normalize(
            torch.randn(16, generator=torch.Generator().manual_seed(5)), dim=0
        )
        views = frame_views(found, MASKING)
        config = MASKING.model_copy(update={"ridge": 1e-3})
        patches_PND = patch_vectors(found, frames(1), config)
        map_HW = localization_maps(sound_D[None], patches_PND, grid=(4, 4))[0]
        cosines_V = found.embed_views(frames(1), views.shown_VK, modality="visual")[0] @ sound_D
        design = views.is_shown().double().numpy()
        design, values = design - design.mean(axis=0), cosines_V.double().numpy()
        penalty = np.sqrt(1e-3) * np.eye(16)
        expected = np.linalg.lstsq(
            np.vstack([design, penalty]), np.append(values - values.mean(), np.zeros(16)), rcond=None
        )[0]
        np.testing.assert_allclose(map_HW.flatten().numpy(), expected, atol=1e-5)

    def test_the_patch_that_alone_says_something_is_found(self):
        """All patches of a frame are equal but one, at each place in turn."""
        found = embedder()
        for place in (0, 5, 15):
            frame = torch.zeros(1, 3, 4, 16, 4, 16)
            frame[:, :, place // 4, :, place % 4] = torch.randn(
                1, 3, 16, 16, generator=torch.Generator().manual_seed(1)
            )
            frame = frame.reshape(1, 3, 64, 64)
            assert int(patchify(frame)[0].abs().sum(dim=1).argmax()) == place
            with_it = found.embed_frames(frame).visual_PD
            without = found.embed_frames(torch.zeros(1, 3, 64, 64)).visual_PD
            sound_PD = torch.nn.functional.normalize(with_it - without, dim=1)
            config = MASKING.model_copy(update={"num_masks": 200})
            map_HW = localization_maps(sound_PD, patch_vectors(found, frame, config), grid=(4, 4))[0]
            background = patch_vectors(found, torch.zeros(1, 3, 64, 64), config)
            # Positions say something, too: what the empty frame has is taken off.
            assert int((map_HW - localization_maps(sound_PD, background, grid=(4, 4))[0]).argmax()) == place

    def test_a_seed_gives_the_same_map_and_another_seed_a_similar_one(self):
        first, again, other = (
            patch_vectors(
                embedder(), frames(1), MASKING.model_copy(update={"mask_seed": seed, "num_masks": 400})
            )
            for seed in (0, 0, 1)
        )
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert np.corrcoef(first.flatten(), other.flatten())[0, 1] > 0.9

    def test_a_model_without_global_tokens_compares_means_of_shown_patches(self):
        plain = embedder(global_token=False, registers=0)
        views = frame_views(plain, MASKING)
        value_D = plain.embed_views(frames(1), views.shown_VK, modality="visual")[0, 0]
        mask = Mask(keep_PK=views.shown_VK[:1], hidden_PN=~views.is_shown()[:1])
        with torch.no_grad():
            mean_D = plain.model.encode_visual(frames(1), mask).patch_tokens_PND[0].mean(dim=0)
        torch.testing.assert_close(value_D, mean_D / mean_D.norm(), atol=1e-5, rtol=1e-4)

    def test_columns_of_sounds_by_the_same_code(self):
        found = embedder()
        segments = torch.randn(2, 96, 128, generator=torch.Generator().manual_seed(0))
        views = draw_views((8, 6), block=(8, 1), num_views=12, ratio=0.5, seed=0)
        vectors_PND = masked_vectors(found, segments, views, MASKING, modality="audio")
        assert vectors_PND.shape == (2, 48, 16)
        columns_PFCD = vectors_PND.unflatten(1, (8, 6))
        torch.testing.assert_close(columns_PFCD[:, 0], columns_PFCD[:, 5], atol=1e-6, rtol=1e-4)


def test_other_rules_are_the_tokens_divided_by_their_lengths_or_not():
    found = embedder()
    with torch.no_grad():
        tokens_PND = found.model.encode_visual(frames()).patch_tokens_PND
    torch.testing.assert_close(patch_vectors(found, frames(), MapConfig(map="denseav")), tokens_PND)
    torch.testing.assert_close(
        patch_vectors(found, frames(), MapConfig()), torch.nn.functional.normalize(tokens_PND, dim=-1)
    )


def test_the_vector_of_a_prompt_is_the_mean_over_its_windows():
    found = embedder()
    segments = torch.randn(3, 96, 128, generator=torch.Generator().manual_seed(0))
    vectors_RD = sound_vectors(found, [segments[:1], segments[1:]], MASKING)
    each_PD = found.embed_segments(segments)
    torch.testing.assert_close(vectors_RD, torch.stack([each_PD[0], each_PD[1:].mean(dim=0)]))
    dense_RD = sound_vectors(found, [segments[:1]], MapConfig(map="denseav"))
    with torch.no_grad():
        expected_D = found.model.encode_audio(segments[:1]).patch_tokens_PND[0].mean(dim=0)
    torch.testing.assert_close(dense_RD[0], expected_D, atol=1e-5, rtol=1e-4)

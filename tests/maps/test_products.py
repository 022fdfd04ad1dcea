"""Maps: the product of a sound with each patch, and maps at another size."""

import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.maps import localization_maps, resized_maps


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_patch_that_is_the_sound_has_cosine_one_at_its_place():
    audio_PD, patches_PND = unit(1, 8), unit(1, 6, 8, seed=1)
    patches_PND[0, 4] = audio_PD[0]  # second row of three, second column
    map_HW = localization_maps(audio_PD, patches_PND, grid=(2, 3))[0]
    assert map_HW[1, 1] == pytest.approx(1)
    assert int(map_HW.argmax()) == 4


def test_agrees_with_loops():
    audio_PD, patches_PND = unit(3, 8), unit(3, 4, 8, seed=1)
    maps_PHW = localization_maps(audio_PD, patches_PND, grid=(2, 2))
    for p in range(3):
        for n in range(4):
            cosine = F.cosine_similarity(audio_PD[p], patches_PND[p, n], dim=0)
            assert maps_PHW[p, n // 2, n % 2] == pytest.approx(float(cosine), abs=1e-6)


def test_the_map_of_a_mean_is_the_mean_of_maps():
    windows_KD, patches_PND = unit(5, 8), unit(1, 4, 8, seed=1)
    of_each = localization_maps(windows_KD, patches_PND.expand(5, -1, -1), grid=(2, 2)).mean(dim=0)
    torch.testing.assert_close(
        localization_maps(windows_KD.mean(0)[None], patches_PND, grid=(2, 2))[0], of_each
    )


def test_bilinear_between_middles_of_patches():
    grown = resized_maps(torch.tensor([[[0.0, 1.0]]]), height=1, width=4)
    assert grown[0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_what_has_the_size_already_is_left_alone():
    maps = torch.rand(2, 3, 3)
    assert resized_maps(maps, height=3, width=3) is maps


@pytest.mark.parametrize("grid", [(2, 2), (1, 4)])
def test_shapes_that_disagree_are_refused(grid):
    with pytest.raises(ValueError, match="one sound per frame"):
        localization_maps(unit(1, 8), unit(1, 6, 8), grid=grid)

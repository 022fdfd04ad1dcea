"""Recipes beyond the paper change what their parts say, and nothing else."""

import pytest

from cavmae_sync.config import override_words
from cavmae_sync.recipes.pretraining import find_recipe
from cavmae_sync.recipes.sync_plus import SYNC_PLUS_PARTS, TG_DP_WORDS

BASE = find_recipe("sync_base")


@pytest.mark.parametrize("part", SYNC_PLUS_PARTS)
def test_a_part_changes_its_words_alone(part: str):
    recipe = find_recipe(f"sync_base_with_{part}")
    changed = {word for word in override_words(BASE, recipe) if not word.startswith("name=")}
    assert len(changed) == len(SYNC_PLUS_PARTS[part])
    assert recipe == BASE.with_overrides([*SYNC_PLUS_PARTS[part], f"name=sync_base_with_{part}"])


def test_all_recipes_see_about_as_many_pairs():
    for name in ("sync_plus_base", "sync_base_with_moments", "tg_dp_base"):
        loop = find_recipe(name).loop
        pairs_of_a_clip = loop.num_epochs * loop.moments_per_clip
        assert pairs_of_a_clip == pytest.approx(BASE.loop.num_epochs, rel=0.05), name


def test_sync_plus_has_both_directions_all_patches_and_a_contrast_inside_the_clip():
    plus = find_recipe("sync_plus_base")
    assert plus.losses.contrast.direction == "both"
    assert plus.masking.contrastive_mask_ratio == 0
    assert plus.losses.reconstruct_every == 8
    assert plus.loop.moments_per_clip == 4
    assert plus.losses.contrast.within_clip_weight == 0.5
    assert plus.model == BASE.model


def test_tg_dp_contrasts_gathered_batches_both_ways_in_a_pass_that_hides_half():
    """TG-DP's published settings, as far as its code says them."""
    recipe = find_recipe("tg_dp_base")
    assert (recipe.masking.ratio, recipe.masking.contrastive_mask_ratio) == (0.75, 0.5)
    assert recipe.losses.contrast.direction == "both"
    assert recipe.losses.contrast.negatives == "global"
    assert recipe.losses.reconstruct_every == 1
    changed = [word for word in override_words(BASE, recipe) if not word.startswith("name=")]
    assert sorted(changed) == sorted(TG_DP_WORDS)

"""A twin keeps what a table varies, and shrinks the rest of every recipe by the same factors."""

import pytest

from cavmae_sync.recipes.pretraining import RECIPES, find_recipe
from cavmae_sync.recipes.stage_twin import stage_twin

PUBLISHED = [name for name in RECIPES if name != "debug"]


def test_what_is_studied_is_kept():
    for name in PUBLISHED:
        recipe = find_recipe(name)
        twin = stage_twin(recipe, num_clips=800, num_epochs=30, seed=1)
        assert twin.seed == 1
        assert twin.model.inputs.segment_length == recipe.model.inputs.segment_length
        assert twin.model.registers == recipe.model.registers
        assert twin.model.global_token == recipe.model.global_token
        assert twin.masking == recipe.masking
        assert twin.optim.schedule == recipe.optim.schedule
        assert twin.losses.contrast.direction == recipe.losses.contrast.direction


def test_recipes_keep_their_proportions():
    """Batch 48 against 512, weight 0.01 against 0.1: the ladder of Table 4 stays a ladder."""
    for name in PUBLISHED:
        recipe, base = find_recipe(name), find_recipe("sync_base")
        twin, small = (stage_twin(each, num_clips=800, num_epochs=30, seed=0) for each in (recipe, base))
        assert twin.loop.batch_size / small.loop.batch_size == pytest.approx(
            recipe.loop.batch_size / base.loop.batch_size
        )
        assert twin.losses.contrastive_weight / small.losses.contrastive_weight == pytest.approx(
            recipe.losses.contrastive_weight / base.losses.contrastive_weight
        )
        assert twin.optim.learning_rate / small.optim.learning_rate == pytest.approx(
            recipe.optim.learning_rate / base.optim.learning_rate
        )
        assert twin.model.width == small.model.width
        assert twin.loop.num_epochs == small.loop.num_epochs


def test_segments_lie_around_their_frames_unless_they_are_the_whole_clip():
    """The sound of the whole clip is the same for all frames: there is nothing to align."""
    for name in PUBLISHED:
        inputs = stage_twin(find_recipe(name)).model.inputs
        assert inputs.alignment == ("padded" if inputs.segment_length == 1024 else "centered"), name


def test_few_clips_make_a_small_batch():
    assert stage_twin(find_recipe("sync_base"), num_clips=9, num_epochs=1, seed=0).loop.batch_size == 4

"""A twin keeps what a table varies, and shrinks the rest of every recipe by the same factors."""

import pytest

from cavmae_sync.recipes.pretraining import RECIPES, find_recipe
from cavmae_sync.recipes.stage_twin import stage_twin
from cavmae_sync.recipes.tables.budget import num_epoch_steps

LENGTHS = ("_1s", "_2s", "_3s", "", "_5s", "_6s", "_7s", "_8s", "_9s", "_10s")
PUBLISHED = [name for name in RECIPES if name != "debug"]


def test_what_is_studied_is_kept():
    for name in PUBLISHED:
        recipe = find_recipe(name)
        twin = stage_twin(recipe, num_clips=800, num_epochs=30, seed=1)
        assert twin.seed == 1
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
        assert twin.loop.num_epochs == round(small.loop.num_epochs / recipe.loop.moments_per_clip)


def test_segments_lie_around_their_frames_unless_they_are_the_whole_clip():
    """The sound of the whole clip is the same for all frames: there is nothing to align."""
    for name in PUBLISHED:
        inputs = stage_twin(find_recipe(name)).model.inputs
        assert inputs.alignment == ("padded" if inputs.segment_length == 1024 else "centered"), name


def test_lengths_of_sound_keep_their_order_and_the_whole_clip_stays_whole():
    """4 s of the world, where things last for seconds, are 0.5 s of the stage."""
    lengths = [find_recipe(f"stage_sync_base{name}").model.inputs.segment_length for name in LENGTHS]
    assert lengths == [16, 32, 32, 48, 64, 80, 96, 96, 112, 1024]


def test_several_moments_of_a_clip_see_as_many_pairs():
    one, four = (
        stage_twin(find_recipe(name), num_clips=800, num_epochs=120)
        for name in ("sync_base", "sync_base_with_moments")
    )
    steps = [num_epoch_steps(each, num_clips=800) for each in (one, four)]
    assert steps == [
        120 * 12,
        30 * 50,
    ]  # steps of 64 clips, and of 16; the last clips of an epoch are dropped
    assert four.loop.clips_per_step == one.loop.clips_per_step / 4


def test_few_clips_make_a_small_batch():
    assert stage_twin(find_recipe("sync_base"), num_clips=9, num_epochs=1, seed=0).loop.batch_size == 4

"""Steps that cost as much as those of the base, by any measure of cost."""

from pathlib import Path

import pytest

from cavmae_sync.model.flops import pretraining_flops
from cavmae_sync.recipes.pretraining import find_recipe
from cavmae_sync.recipes.tables.budget import (
    measured_step_seconds,
    num_epoch_steps,
    step_flops,
    with_budget,
)
from cavmae_sync.training.schedule import learning_rate_at

BASE = find_recipe("stage_sync_base")


def test_the_dearest_cost_decides():
    other = find_recipe("stage_sync_base_no_registers")
    seconds = {BASE.name: 1.0, other.name: 1.5}
    found = with_budget(
        other, BASE, num_clips=1000, costs=[lambda config: seconds[config.name], lambda _: 1.0]
    )
    assert num_epoch_steps(BASE, num_clips=1000) == 120 * 15
    assert found.loop.num_steps == 1200
    cheaper = with_budget(other, BASE, num_clips=1000, costs=[lambda c: 0.5 if c.name == other.name else 1.0])
    assert cheaper.loop.num_steps == 3600


def test_a_schedule_of_epochs_is_shortened_with_the_run():
    """A tenth of the epochs lowers the rate as often as all of them, not never."""
    multistep = find_recipe("stage_cavmae_scale_plus_plus")
    assert (multistep.optim.multistep_first_epoch, multistep.optim.multistep_every_epochs) == (48, 24)
    found = with_budget(
        multistep, BASE, num_clips=1000, costs=[lambda config: 5.0 if config != BASE else 1.0]
    )
    epochs = found.loop.num_steps / (1000 // 32)
    assert epochs == pytest.approx(120 * 0.0967, rel=0.01)
    assert (found.optim.multistep_first_epoch, found.optim.multistep_every_epochs) == (5, 3)
    rates = {
        learning_rate_at(step, config=found.optim, num_steps=found.loop.num_steps, steps_per_epoch=1000 // 32)
        for step in range(found.loop.num_steps)
    }
    assert len(rates) == 4
    cosine = find_recipe("stage_cavmae_scale_plus_plus_plus")
    assert with_budget(cosine, BASE, num_clips=1000, costs=[step_flops]).optim == cosine.optim


def test_the_base_stays_as_it_is():
    """So its run can be shared with tables that count epochs."""
    assert with_budget(BASE, BASE, num_clips=1000, costs=[step_flops]) == BASE


def test_operations_are_those_of_a_batch_with_drawn_ratios_at_their_mean():
    assert step_flops(BASE) == 64 * pretraining_flops(BASE.model, mask_ratio=0.75)
    drawn = find_recipe("stage_sync_base_multi_mask")
    assert step_flops(drawn) == 64 * pretraining_flops(drawn.model, mask_ratio=0.75)
    seen = find_recipe("stage_sync_base_with_all_seen")
    expected = pretraining_flops(seen.model, mask_ratio=0.75, contrastive_mask_ratio=0, reconstruct_every=8)
    assert step_flops(seen) == 64 * expected


def test_times_are_measured_once_for_a_folder(tmp_path: Path):
    debug = find_recipe("debug")
    done: list[tuple[int, int]] = []
    first = measured_step_seconds({"one": debug}, tmp_path, on_progress=lambda *part: done.append(part))
    assert first["one"] > 0
    assert done[-1] == (len(done), len(done))
    again = measured_step_seconds({"other": debug}, tmp_path, on_progress=lambda *_: pytest.fail("measured"))
    assert again == first

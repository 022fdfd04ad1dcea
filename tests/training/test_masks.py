"""Masks by counting: they follow from seed and number, not from who draws them or how the work is split."""

import pytest
import torch
from pydantic import ValidationError

from cavmae_sync.data import Draw
from cavmae_sync.data.draws import Purpose
from cavmae_sync.model import Mask, MaskingConfig
from cavmae_sync.training import MaskSampler, StepMasks

from .tiny import TINY_MODEL

PAIRS = [Draw(5, k) for k in range(6)]


def source(seed: int = 0, purpose: Purpose = Purpose.MASK, **masking) -> MaskSampler:
    return MaskSampler(TINY_MODEL, MaskingConfig(**masking), seed=seed, purpose=purpose)


def keeps(masks: StepMasks) -> list[torch.Tensor]:
    second = masks.contrastive
    every = [masks.audio, masks.visual, second and second.audio, second and second.visual]
    return [mask.keep_PK for mask in every if isinstance(mask, Mask)]


@pytest.mark.parametrize("split", [[6], [3, 3], [1, 2, 3], [1] * 6], ids=str)
@pytest.mark.parametrize("masking", [{}, {"audio_mode": "time"}, {"contrastive_mask_ratio": 0.25}], ids=str)
def test_any_split_of_the_positions_gives_the_same_masks(split: list[int], masking: dict):
    drawn, first = [], 0
    for size in split:
        drawn.append(keeps(source(**masking).draw(PAIRS[first : first + size], step=5)))
        first += size
    together = keeps(source(**masking).draw(PAIRS, step=5))
    for whole, parts in zip(together, zip(*drawn, strict=True), strict=True):
        assert torch.equal(whole, torch.cat(parts))


def test_every_pair_step_and_seed_has_its_own():
    first = source().draw(PAIRS).audio.keep_PK
    assert len({tuple(row) for row in first.tolist()}) == len(PAIRS)
    assert not torch.equal(first, source().draw([Draw(6, k) for k in range(6)]).audio.keep_PK)
    assert not torch.equal(first, source(seed=1).draw(PAIRS).audio.keep_PK)


def test_training_and_validation_share_no_draws():
    training, validation = source(), source(purpose=Purpose.VALIDATION_MASK)
    assert not torch.equal(training.draw(PAIRS).audio.keep_PK, validation.draw(PAIRS).audio.keep_PK)


def test_a_range_for_the_contrast_is_drawn_once_per_step_and_leaves_the_other_masks_alone():
    masks, plain = source(contrastive_ratio_range=(0.0, 0.5)), source()
    kept = set()
    for step in range(20):
        one, other = masks.draw(PAIRS[:2], step=step), masks.draw(PAIRS[2:], step=step)
        assert one.contrastive is not None
        assert other.contrastive is not None
        for first, second in (
            (one.contrastive.audio, other.contrastive.audio),
            (one.contrastive.visual, other.contrastive.visual),
        ):
            assert isinstance(first, Mask)
            assert isinstance(second, Mask)
            assert first.keep_PK.shape[1] == second.keep_PK.shape[1]
        kept.add(one.contrastive.audio.keep_PK.shape[1])
        assert torch.equal(one.audio.keep_PK, plain.draw(PAIRS[:2], step=step).audio.keep_PK)
    assert len(kept) > 3
    assert min(kept) >= 8  # of 16 patches
    assert max(kept) <= 16


@pytest.mark.parametrize(
    ("masking", "says"),
    [
        ({"contrastive_ratio_range": (0.5, 0.5)}, "must be increasing"),
        ({"contrastive_ratio_range": (0.1, 0.5), "contrastive_mask_ratio": 0.2}, "takes the place of"),
    ],
)
def test_a_range_for_the_contrast_that_contradicts_is_refused(masking: dict, says: str):
    with pytest.raises(ValidationError, match=says):
        MaskingConfig(**masking)


def test_a_range_of_ratios_is_drawn_once_per_step_for_all():
    masks = source(ratio_range=(0.2, 0.7))
    seen = set()
    for step in range(20):
        one, other = masks.draw(PAIRS[:2], step=step), masks.draw(PAIRS[2:], step=step)
        assert one.audio.keep_PK.shape[1] == other.audio.keep_PK.shape[1]
        assert one.visual.keep_PK.shape[1] == other.visual.keep_PK.shape[1]
        seen.add(one.audio.keep_PK.shape[1])
    assert len(seen) > 3  # the official code draws the same ratio each time (spec 6.2, defect 16)
    assert min(seen) >= int(16 * 0.3)
    assert max(seen) <= int(16 * 0.8)


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 16), (0.25, 12), (0.75, 4)])
def test_the_second_pass_has_its_own_ratio_and_masks(ratio: float, kept: int):
    masks = source(contrastive_mask_ratio=ratio).draw(PAIRS)
    assert masks.audio.keep_PK.shape[1] == 4
    if ratio == 0:
        assert masks.contrastive.audio is None
        assert masks.contrastive.visual is None
    else:
        assert masks.contrastive.audio.keep_PK.shape[1] == kept
        assert not torch.equal(masks.contrastive.audio.hidden_PN, masks.audio.hidden_PN)


def test_without_a_second_pass_there_are_no_second_masks():
    assert source().draw(PAIRS).contrastive is None


def test_a_part_has_the_masks_of_its_pairs():
    masks = source(contrastive_mask_ratio=0.5).draw(PAIRS)
    for whole, part in zip(keeps(masks), keeps(masks.part(slice(2, 5))), strict=True):
        assert torch.equal(whole[2:5], part)

"""Each random change: what it does, how it is distributed, that its generator decides, that off is off."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cavmae_sync.inputs import InputConfig
from cavmae_sync.inputs.augment import AugmentConfig, augment
from cavmae_sync.inputs.augment_frames import random_flip, random_resized_crop
from cavmae_sync.inputs.augment_segments import (
    add_noise,
    mask_bins,
    mask_time,
    random_center_offset,
    roll_time,
)

PADDING = 5.081 / 4.4849
EVERYTHING = AugmentConfig(
    center_jitter=32,
    noise_amplitude=0.1,
    rolls_time=True,
    frequency_mask_bins=48,
    time_mask_length=64,
    mixup_probability=0.5,
    crops_frames=True,
    flip_probability=0.5,
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def segment() -> torch.Tensor:
    return torch.randn(416, 128, generator=seeded(1))


@pytest.fixture
def frame() -> torch.Tensor:
    return torch.randint(0, 256, (224, 224, 3), dtype=torch.uint8, generator=seeded(2))


def test_nothing_is_on_by_default_and_off_is_the_identity(segment, frame, generator):
    before = generator.get_state()
    pair = augment(segment, frame, config=AugmentConfig(), inputs=InputConfig(), generator=generator)
    assert pair.segment_LM is segment
    assert pair.frame_HWC is frame
    assert torch.equal(generator.get_state(), before)


def test_the_generator_decides_everything(segment, frame):
    original = segment.clone(), frame.clone()

    def run(seed: int):
        return augment(segment, frame, config=EVERYTHING, inputs=InputConfig(), generator=seeded(seed))

    first, again, other = run(7), run(7), run(8)
    assert torch.equal(first.segment_LM, again.segment_LM)
    assert torch.equal(first.frame_HWC, again.frame_HWC)
    assert not torch.equal(first.segment_LM, other.segment_LM)
    assert not torch.equal(first.frame_HWC, other.frame_HWC)
    assert torch.equal(segment, original[0])
    assert torch.equal(frame, original[1])


def test_each_switch_changes_its_own_half_of_the_pair(segment, frame):
    for switch in [
        {"noise_amplitude": 0.1},
        {"rolls_time": True},
        {"frequency_mask_bins": 48},
        {"time_mask_length": 64},
        {"crops_frames": True},
        {"flip_probability": 1.0},
    ]:
        config = AugmentConfig(**switch)
        pair = augment(segment, frame, config=config, inputs=InputConfig(), generator=seeded(0))
        changes_frame = "crops_frames" in switch or "flip_probability" in switch
        assert torch.equal(pair.segment_LM, segment) is changes_frame
        assert torch.equal(pair.frame_HWC, frame) is not changes_frame
        assert pair.segment_LM.shape == segment.shape
        assert pair.frame_HWC.shape == frame.shape
        assert pair.frame_HWC.dtype == torch.uint8


def test_impossible_switches_are_refused():
    for bad in ({"flip_probability": 1.1}, {"noise_amplitude": -1}, {"frequency_mask_bins": 129}):
        with pytest.raises(ValidationError):
            AugmentConfig(**bad)


def test_center_offsets_are_uniform_and_reach_both_ends(generator):
    offsets = torch.tensor([random_center_offset(2, generator=generator) for _ in range(5000)])
    counts = torch.bincount(offsets + 2, minlength=5)
    assert (counts - 1000).abs().max() < 120  # four standard deviations
    assert random_center_offset(0, generator=generator) == 0


def test_noise_is_positive_bounded_and_of_varying_strength(segment):
    noise = [add_noise(segment, amplitude=0.1, generator=seeded(seed)) - segment for seed in range(400)]
    assert min(float(n.min()) for n in noise) > -1e-6
    strengths = torch.tensor([float(n.max()) for n in noise])
    assert strengths.max() < 0.1
    assert strengths.mean() == pytest.approx(0.05, abs=0.006)
    assert noise[0].mean() / noise[0].max() == pytest.approx(0.5, abs=0.02)


def test_rolling_keeps_every_row_in_its_circular_order(segment):
    starts = []
    for seed in range(300):
        rolled = roll_time(segment, generator=seeded(seed))
        start = int((rolled == segment[0]).all(dim=1).nonzero())
        assert torch.equal(rolled.roll(-start, dims=0), segment)
        starts.append(start)
    assert 150 < sum(starts) / len(starts) < 265  # uniform over 416
    assert len(set(starts)) > 150


@pytest.mark.parametrize(("mask", "limit", "dim"), [(mask_bins, "max_bins", 1), (mask_time, "max_length", 0)])
def test_masks_are_one_stretch_narrower_than_their_limit(segment, mask, limit, dim):
    widths = []
    for seed in range(500):
        masked = mask(segment, **{limit: 20}, value=PADDING, generator=seeded(seed))
        changed = (masked != segment).all(dim=1 - dim)
        assert torch.equal(changed, (masked != segment).any(dim=1 - dim))
        where = changed.nonzero().flatten()
        widths.append(len(where))
        if len(where):
            assert int(where[-1] - where[0]) + 1 == len(where)
            assert masked.movedim(dim, 0)[where].unique() == pytest.approx(PADDING)
    assert max(widths) == 19
    assert min(widths) == 0
    assert sum(widths) / 500 == pytest.approx(9.5, abs=1.1)


def test_masked_values_are_what_padding_is(segment, frame):
    config = AugmentConfig(frequency_mask_bins=48)
    pair = augment(segment, frame, config=config, inputs=InputConfig(), generator=seeded(3))
    assert pair.segment_LM[pair.segment_LM != segment].unique() == pytest.approx(PADDING)


def test_a_mask_wider_than_the_segment_is_refused(segment, generator):
    with pytest.raises(ValueError, match="0 to 416 wide here, but its limit is 500"):
        mask_time(segment, max_length=500, value=0.0, generator=generator)


def test_flips_mirror_and_happen_as_often_as_asked(frame):
    flipped = random_flip(frame, probability=1.0, generator=seeded(0))
    assert torch.equal(flipped[:, 0], frame[:, -1])
    often = [
        not torch.equal(random_flip(frame, probability=0.3, generator=seeded(seed)), frame)
        for seed in range(500)
    ]
    assert sum(often) / 500 == pytest.approx(0.3, abs=0.08)


def coordinates(height: int, width: int) -> torch.Tensor:
    """A frame whose red is the row and whose green is the column, so that a crop shows where it was."""
    rows = torch.arange(height).view(-1, 1).expand(height, width)
    columns = torch.arange(width).expand(height, width)
    return torch.stack([rows, columns, columns], dim=2).to(torch.uint8)


def test_random_crops_keep_the_area_and_shape_they_promise():
    areas, ratios = [], []
    for seed in range(400):
        crop = random_resized_crop(coordinates(240, 240), pixels=64, generator=seeded(seed)).int()
        height, width = (int(crop[..., c].max() - crop[..., c].min()) + 1 for c in (0, 1))
        areas.append(height * width / 240**2)
        ratios.append(width / height)
    areas_tensor, ratios_tensor = torch.tensor(areas), torch.tensor(ratios)
    assert 0.06 < areas_tensor.min() < 0.12
    assert 0.93 < areas_tensor.max() <= 1.0
    assert areas_tensor.mean() == pytest.approx(0.53, abs=0.06)
    assert ratios_tensor.min() > 0.85
    assert ratios_tensor.max() < 1.18


@settings(max_examples=50)
@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 1000))
def test_random_crops_of_any_frame_are_square_frames(height: int, width: int, seed: int):
    crop = random_resized_crop(
        torch.zeros(height, width, 3, dtype=torch.uint8), pixels=32, generator=seeded(seed)
    )
    assert crop.shape == (32, 32, 3)
    assert crop.dtype == torch.uint8


def test_a_frame_in_which_no_draw_fits_gives_its_middle():
    frame = torch.zeros(10, 2000, 3, dtype=torch.uint8)
    frame[:, 994:1006] = 255
    crop = random_resized_crop(frame, pixels=16, generator=seeded(0))
    # A share of 8 percent or more of this area is at least 36 pixels high: the middle 11 x 10 is taken.
    assert (crop == 255).all()

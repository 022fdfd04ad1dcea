"""Masks (spec 2.5, 2.9, 7.3, 7.10)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cavmae_sync.model import Mask, MaskingConfig, structured_noise


def noise(num: int, patches: int, *, seed: int = 0) -> torch.Tensor:
    return torch.rand(num, patches, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("ratio", "audio", "visual"), [(0.6, 83, 78), (0.75, 52, 49), (0.9, 20, 19)])
def test_kept_patches_are_truncated_as_published(ratio: float, audio: int, visual: int):
    assert Mask.from_noise(noise(1, 208), ratio=ratio).keep_PK.shape == (1, audio)
    assert Mask.from_noise(noise(1, 196), ratio=ratio).keep_PK.shape == (1, visual)


def test_the_picture_in_the_module_docstring():
    mask = Mask.from_noise(torch.tensor([[0.7, 0.1, 0.9, 0.4]]), ratio=0.5)
    assert mask.keep_PK.tolist() == [[1, 3]]
    assert mask.hidden_PN.tolist() == [[True, False, True, False]]


@given(patches=st.integers(1, 60), ratio=st.floats(0, 0.95), seed=st.integers(0, 99))
def test_kept_and_hidden_are_all_patches_once(patches: int, ratio: float, seed: int):
    if int(patches * (1 - ratio)) == 0:
        with pytest.raises(ValueError, match="keeps 0"):
            Mask.from_noise(noise(3, patches, seed=seed), ratio=ratio)
        return
    mask = Mask.from_noise(noise(3, patches, seed=seed), ratio=ratio)
    for keep, hidden in zip(mask.keep_PK, mask.hidden_PN, strict=True):
        assert sorted(keep.tolist() + hidden.nonzero().flatten().tolist()) == list(range(patches))


def test_putting_back_restores_the_order():
    """Tokens are marked with their index; what was hidden gets the filler."""
    mask = Mask.from_noise(noise(4, 30), ratio=0.6)
    marked = torch.arange(30.0).expand(4, 30).unsqueeze(2)
    restored = mask.put_back(mask.take(marked), filler_D=torch.tensor([-1.0]))
    assert torch.equal(restored, torch.where(mask.hidden_PN.unsqueeze(2), -1.0, marked))


@pytest.mark.parametrize("length", [96, 416, 1024])
@pytest.mark.parametrize("ratio", [0.5, 0.75])
class TestStructuredMasks:
    """Whole time columns or frequency rows are hidden, for any segment length."""

    def hidden(self, length: int, ratio: float, mode: str) -> torch.Tensor:
        grid = (8, length // 16)
        generator = torch.Generator().manual_seed(1)
        axes = torch.rand(5, sum(grid), generator=generator)
        raised = structured_noise(noise(5, 8 * grid[1]), axes, grid=grid, ratio=ratio, mode=mode)
        mask = Mask.from_noise(raised, ratio=ratio)
        assert mask.keep_PK.shape[1] == int(8 * grid[1] * (1 - ratio))
        return mask.hidden_PN.view(5, *grid)

    def test_time_hides_whole_columns(self, length: int, ratio: float):
        whole = self.hidden(length, ratio, "time").all(dim=1).sum(dim=1)
        assert (whole >= int(length // 16 * ratio)).all()

    def test_freq_hides_whole_rows(self, length: int, ratio: float):
        whole = self.hidden(length, ratio, "freq").all(dim=2).sum(dim=1)
        assert (whole >= int(8 * ratio)).all()

    def test_tf_hides_in_whole_rows_and_columns_first(self, length: int, ratio: float):
        hidden = self.hidden(length, ratio, "tf")
        columns, rows = int(length // 16 * ratio * 0.7), int(8 * ratio * 0.7)
        crossed = 8 * (length // 16) - (8 - rows) * (length // 16 - columns)
        whole_columns, whole_rows = hidden.all(dim=1).sum(dim=1), hidden.all(dim=2).sum(dim=1)
        if crossed <= hidden[0].sum():
            assert (whole_columns >= columns).all()
            assert (whole_rows >= rows).all()

    def test_unstructured_leaves_the_noise_alone(self, length: int, ratio: float):
        grid = (8, length // 16)
        drawn = noise(2, 8 * grid[1])
        axes = torch.rand(2, sum(grid))
        same = structured_noise(drawn, axes, grid=grid, ratio=ratio, mode="unstructured")
        assert torch.equal(same, drawn)


def test_where_rows_and_columns_are_more_than_the_ratio_chance_decides():
    """ "tf" at 0.75 of a 10 s segment raises 388 of 512 patches, 384 are hidden: 4 of the 388 are kept."""
    grid, axes = (8, 64), torch.rand(1, 72, generator=torch.Generator().manual_seed(3))
    kept_in_the_cross = set()
    for seed in range(8):
        raised = structured_noise(noise(1, 512, seed=seed), axes, grid=grid, ratio=0.75, mode="tf")
        mask = Mask.from_noise(raised, ratio=0.75)
        extra = mask.keep_PK[0][raised[0][mask.keep_PK[0]] >= 1].tolist()
        assert len(extra) == 4
        kept_in_the_cross.add(tuple(extra))
    assert len(kept_in_the_cross) == 8


@pytest.mark.parametrize("wrong", [(0.9, 0.6), (0.5, 0.5), (-0.1, 0.5), (0.5, 1.0)])
def test_a_range_of_ratios_must_increase_inside_0_and_1(wrong: tuple[float, float]):
    with pytest.raises(ValidationError, match="must be increasing"):
        MaskingConfig(ratio_range=wrong)


def test_parts_of_different_batches_are_no_mask():
    with pytest.raises(ValueError, match="same P"):
        Mask(keep_PK=torch.zeros(2, 1, dtype=torch.int64), hidden_PN=torch.zeros(3, 4, dtype=torch.bool))

"""How a map is made: sizes of blocks, and what a report says."""

import pytest

from cavmae_sync.errors import ConfigError
from cavmae_sync.maps import MapConfig


@pytest.mark.parametrize(("side", "block"), [(2, 1), (6, 1), (8, 1), (12, 2), (14, 2), (15, 1), (18, 3)])
def test_blocks_leave_at_least_six_on_a_side_and_fill_it(side: int, block: int):
    assert MapConfig().block_side(side) == block


def test_a_block_that_does_not_fill_the_side_is_refused():
    assert MapConfig(block_patches=7).block_side(14) == 7
    for size in (4, 14):
        with pytest.raises(ConfigError, match="Use one of 1, 2, 7"):
            MapConfig(block_patches=size).block_side(14)
    with pytest.raises(ConfigError, match="Use another map"):
        MapConfig().block_side(1)


def test_a_report_names_only_what_the_rule_reads():
    assert MapConfig(num_masks=9).settings() == {"rule": "cosine", "contrast": False}
    assert MapConfig(map="masking", num_masks=9).settings() == {
        "rule": "masking", "contrast": False, "num_masks": 9, "mask_ratio": 0.9, "block_patches": None,
        "ridge": 1.0, "mask_seed": 0,
    }  # fmt: skip

"""Targets: masks in packed form."""

import numpy as np

from .conftest import Painted, mask


def test_masks_survive_packing(painted: Painted):
    for row, target in enumerate(painted.targets):
        np.testing.assert_array_equal(target.mask(), mask(row))

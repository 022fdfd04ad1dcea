"""Rates of matrix products on this machine."""

from typing import get_args

import pytest
import torch

from cavmae_sync.choices import Precision
from cavmae_sync.compute import product_rate


@pytest.mark.parametrize("precision", get_args(Precision))
def test_every_precision_has_a_rate_here(precision):
    assert 1e6 < product_rate(torch.device("cpu"), precision=precision, shape=(64, 64, 64)) < 1e16

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    return lambda name: torch.load(GOLDEN / f"{name}.pt", weights_only=True)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)

"""The contract of coarse indexes, kept by every engine."""

import numpy as np
import pytest

from cavmae_sync.search.coarse import choose_coarse, make_coarse

from .made import unit

ENGINES = ["exact", "flat", "inverted"]


@pytest.fixture(autouse=True)
def _faiss(request: pytest.FixtureRequest) -> None:
    if "exact" not in request.node.name:
        pytest.importorskip("faiss")


def rows_of(count: int) -> np.ndarray:
    """Windows in clusters, as those of films are."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(20, 16))
    return unit(centres[generator.integers(0, 20, count)] + 0.5 * generator.normal(size=(count, 16))).astype(
        np.float16
    )


@pytest.mark.parametrize("name", ENGINES)
def test_the_nearest_are_found_best_first(name: str):
    rows = rows_of(5000)
    queries = rows[[7, 4000]].astype(np.float32)
    products, windows = make_coarse(rows, name).search(queries, num_results=10)
    assert products.shape == windows.shape == (2, 10)
    assert windows[:, 0].tolist() == [7, 4000]
    assert (np.diff(products, axis=1) <= 0).all()
    np.testing.assert_allclose(products[:, 0], 1, atol=0.02)
    true = np.argsort(-(queries @ rows.astype(np.float32).T), axis=1)[:, :10]
    found = [len(set(a) & set(b)) for a, b in zip(true, windows, strict=True)]
    assert min(found) >= {"exact": 10, "flat": 8, "inverted": 6}[name]


@pytest.mark.parametrize("name", ENGINES)
def test_only_what_is_allowed_is_found(name: str):
    rows = rows_of(3000)
    allowed = np.zeros(3000, bool)
    allowed[100:140] = True
    products, windows = make_coarse(rows, name).search(
        rows[:3].astype(np.float32), num_results=60, allowed_W=allowed
    )
    is_found = windows >= 0
    assert allowed[windows[is_found]].all()
    assert np.isneginf(products[~is_found]).all()
    assert (is_found.sum(axis=1) == 40).all() or name == "inverted"


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("count", [0, 3])
def test_few_or_no_windows(name: str, count: int):
    products, windows = make_coarse(rows_of(count), name).search(np.ones((2, 16), np.float32), num_results=5)
    assert (windows >= 0).sum(axis=1).tolist() == [count, count]
    assert np.isneginf(products[windows < 0]).all()


def test_small_libraries_are_scanned_exactly():
    assert choose_coarse(1000, width=768) == "exact"


def test_large_libraries_are_scanned_as_long_as_that_is_fast():
    pytest.importorskip("faiss")
    assert choose_coarse(400_000, width=64) == "flat"
    assert choose_coarse(800_000, width=768) == "inverted"

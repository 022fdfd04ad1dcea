"""The contract of coarse indexes, kept by every engine."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.search.cells import read_cells, write_cells
from cavmae_sync.search.coarse import Cells, InvertedIndex, choose_coarse, make_coarse

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


@pytest.mark.parametrize("name", ENGINES)
def test_windows_that_are_added_are_found_like_the_others(name: str):
    rows = rows_of(5000)
    index = make_coarse(rows[:4000], name)
    index.add(rows[4000:])
    _, windows = index.search(rows[[7, 4700]].astype(np.float32), num_results=10)
    assert windows[:, 0].tolist() == [7, 4700]


def test_cells_that_are_known_give_the_same_index(tmp_path: Path):
    pytest.importorskip("faiss")
    rows = rows_of(5000)
    whole = InvertedIndex(rows)
    write_cells(tmp_path / "a.cells", whole.cells)
    cells = read_cells(tmp_path / "a.cells", width=16, num_windows=5000)
    queries = rows[:20].astype(np.float32)
    for known in (cells, Cells(centres_CD=whole.cells.centres_CD, cell_W=whole.cells.cell_W[:3000])):
        np.testing.assert_array_equal(
            InvertedIndex(rows, known).search(queries, num_results=5)[1],
            whole.search(queries, num_results=5)[1],
        )
    assert read_cells(tmp_path / "a.cells", width=16, num_windows=4999) is None
    assert read_cells(tmp_path / "a.cells", width=17, num_windows=5000) is None


def test_small_libraries_are_scanned_exactly():
    assert choose_coarse(1000, width=768) == "exact"


def test_large_libraries_are_scanned_as_long_as_that_is_fast():
    pytest.importorskip("faiss")
    assert choose_coarse(400_000, width=64) == "flat"
    assert choose_coarse(800_000, width=768) == "inverted"

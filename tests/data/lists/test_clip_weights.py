"""Weights of clips as a file: the formula by hand, round trip, and files that do not belong to the list."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.data import balanced_weights, read_weights
from cavmae_sync.data.lists.clip_weights import weights_path, write_weights
from cavmae_sync.errors import DatasetError


def test_balanced_weights_by_hand() -> None:
    """Class a has 2 clips and b has 1: 1000 / 2.01 and 1000 / 1.01; the last clip has no label."""
    weights_N = balanced_weights([("a",), ("a", "b"), ()])
    assert weights_N == pytest.approx([1000 / 2.01, 1000 / 2.01 + 1000 / 1.01, 0.0])


def test_written_and_read_again_bit_for_bit(tmp_path: Path):
    labels = [("a", "b"), ("a",), ("b",), ("a", "c")]
    path = weights_path(tmp_path / "train.json")
    assert path == tmp_path / "train_weight.csv"
    written_N = write_weights(path, labels)
    a, b, c = 1000 / 3.01, 1000 / 2.01, 1000 / 1.01
    assert written_N == pytest.approx([a + b, a, b, a + c], rel=1e-15)
    assert np.array_equal(written_N, balanced_weights(labels))
    assert np.array_equal(read_weights(path, num_clips=4), written_N)


def test_the_format_that_numpy_writes_is_read(tmp_path: Path):
    """As the official script does, "%.18e"."""
    np.savetxt(tmp_path / "w.csv", [1.5, 332.2259136212625], delimiter=",")
    assert read_weights(tmp_path / "w.csv", num_clips=2).tolist() == [1.5, 332.2259136212625]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n", "has 2 weights for 3 clips.*--write-weights"),
        ("1\n2\n3\n4\n", "has 4 weights for 3 clips"),
        ("1\n0\n3\n", "line 2: '0' is not a weight"),
        ("1\n2\n-3\n", "line 3: '-3' is not a weight"),
        ("1\nnan\n3\n", "line 2: 'nan' is not a weight"),
        ("inf\n2\n3\n", "line 1: 'inf' is not a weight"),
        ("weight\n1\n2\n3\n", "line 1: 'weight' is not a weight"),
        ("", "is empty"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "w.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_weights(tmp_path / "w.csv", num_clips=3)


def test_a_clip_without_label_has_no_weight(tmp_path: Path):
    with pytest.raises(DatasetError, match="1 of 2 clips have no label, the first is number 1"):
        write_weights(tmp_path / "w.csv", [("a",), ()])
    assert not (tmp_path / "w.csv").exists()

"""Hand-made truth of a video, read from a CSV file."""

from pathlib import Path

import pytest

from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.temporal.truth_file import read_truth


def test_a_truth_file_is_read_by_time(tmp_path: Path):
    path = tmp_path / "truth.csv"
    path.write_text("start,stop,label\n2,3,dog\n0,2,cat\n3,4,cat\n", encoding="utf-8")
    bar = read_truth(path)
    assert [bar.text(span) for span in bar.spans] == ["cat", "dog", "cat"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("from,to\n1,2\n", "no column start, stop, label"),
        ("start,stop,label\n", "no spans"),
        ("start,stop,label\n1,x,dog\n", "line 2"),
        ("start,stop,label\n1,2,dog\n3,2,dog\n", "line 3"),
    ],
)
def test_a_bad_truth_file_is_refused(tmp_path: Path, content: str, message: str):
    path = tmp_path / "truth.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_truth(path)

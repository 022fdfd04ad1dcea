"""Label files: what belongs to whom, and what is refused with its line."""

from pathlib import Path

import pytest

from cavmae_sync.data.labels import read_labels
from cavmae_sync.errors import DatasetError


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_are_found_by_name_or_by_path(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, 'video_id,labels\ndog,bark;growl\n"b/cat","meow, loud"\nnone,x\n'))
    files = ["a/dog.mp4", "b/cat.webm", "a/cat.webm"]
    assert labels.of(files) == (("bark", "growl"), ("meow, loud",), ())
    assert labels.count_unknown(["a/dog.mp4", "b/cat.webm"]) == 1


def test_a_path_goes_before_a_name(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog,any\nb/dog,this\n"))
    assert labels.of(["a/dog.mp4", "b/dog.mp4"]) == (("any",), ("this",))


def test_a_name_that_could_mean_several_files_is_refused(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog,any\n"))
    with pytest.raises(DatasetError, match=r"'dog' .* could mean a/dog\.mp4 or b/dog\.mp4.*example 'b/dog'"):
        labels.of(["a/dog.mp4", "cat.mp4", "b/dog.mp4"])


def test_a_path_is_meant_exactly(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog,any\n"))
    assert labels.of(["a/dog.mp4", "dog.mp4"]) == ((), ("any",))


def test_ids_may_contain_dots(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "video_id,labels\nv1.2,x\n")).of(["v1.2.mp4"]) == (("x",),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header is"),
        ("id,labels\n", "line 1: the header is"),
        ("video_id,labels\na,x\nb,x,y\n", "line 3: 3 columns"),
        ("video_id,labels\na,x\n\na,y\n", "line 4: a has a row already"),
        ("video_id,labels\n,x\n", "line 2: the video_id is empty"),
        ("video_id,labels\na,x;;y\n", "line 2: the labels 'x;;y'"),
        ("video_id,labels\na,\n", "line 2: the labels ''"),
        ("video_id,labels\na,x;x\n", "line 2: the labels 'x;x'"),
        ('video_id,labels\na,"x\n', "line 3: unexpected end of data"),
    ],
)
def test_malformed_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_labels(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing\.csv is not a file"):
        read_labels(tmp_path / "nothing.csv")


def test_labels_of_other_videos_are_refused(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog.mp4,bark\n"))
    with pytest.raises(DatasetError, match=r"names 'dog\.mp4', the videos are called 'a/dog'"):
        labels.of(["a/dog.mp4"])

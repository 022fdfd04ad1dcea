"""Class lists at their full size, and what is wrong with damaged ones."""

from pathlib import Path

import pytest

from cavmae_sync.data.lists.classes import read_class_labels
from cavmae_sync.errors import DatasetError

HEADER = "index,mid,display_name\n"


def audioset(num_classes: int = 527) -> str:
    rows = "".join(f'{i},/m/{i:05x},"Sound {i}, kind {i % 7}"\n' for i in range(num_classes))
    return HEADER + rows


def vggsound(num_classes: int = 309, *, comma: str = "_ ") -> str:
    return HEADER + "".join(f'{i},vgg_{i},"bird {i}{comma}singing"\n' for i in range(num_classes))


def write(folder: Path, text: str) -> Path:
    path = folder / "classes.csv"
    path.write_bytes(text.encode())
    return path


def test_full_lists(tmp_path: Path):
    classes = read_class_labels(write(tmp_path, audioset()))
    assert (len(classes), classes.mids[3], classes.names[3]) == (527, "/m/00003", "Sound 3, kind 3")
    classes = read_class_labels(write(tmp_path, "\ufeff" + vggsound().replace("\n", "\r\n")))
    assert (len(classes), classes.mids[308], classes.names[308]) == (309, "vgg_308", "bird 308_ singing")


def test_labels_change_between_names_and_mids(tmp_path: Path):
    classes = read_class_labels(write(tmp_path, vggsound()))
    labels = [("bird 1_ singing", "vgg_2"), ()]
    assert classes.rename(labels, "mid") == [("vgg_1", "vgg_2"), ()]
    assert classes.rename(labels, "name") == [("bird 1_ singing", "bird 2_ singing"), ()]
    with pytest.raises(DatasetError, match=r"2 labels are not classes of .*: 'cat', 'dog'"):
        classes.rename([("dog", "vgg_1", "cat")], "mid")


def test_names_of_audioset_are_known_with_their_commas(tmp_path: Path):
    classes = read_class_labels(write(tmp_path, audioset()))
    assert classes.rename([("Sound 3, kind 3",), ("Sound 3_ kind 3",)], "mid") == [("/m/00003",)] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,mid,name\n", "line 1: the header is"),
        (HEADER, "no class"),
        (audioset(526), "has 526 classes with mids of AudioSet, which has 527"),
        (vggsound(310), "has 310 classes with mids of VGGSound, which has 309"),
        (vggsound(comma=", "), "'bird 0, singing' has a comma.*'bird 0_ singing'"),
        (HEADER + "0,a,cat\n2,b,dog\n", "line 3: the index is '2', but must be 1"),
        (HEADER + "1,a,cat\n", "line 2: the index is '1', but must be 0"),
        (HEADER + "0,a,cat\n1,a,dog\n", "line 3: 'a' is already on line 2"),
        (HEADER + "0,a,cat\n1,b,cat\n", "line 3: 'cat' is already on line 2"),
        (HEADER + "0,a,man, speaking\n", "line 2: .* must be three cells.*in quotes"),
        (HEADER + "0,,cat\n", "line 2: .* must be three cells"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, text: str, message: str):
    with pytest.raises(DatasetError, match=message):
        read_class_labels(write(tmp_path, text))


def test_other_classes_may_be_of_any_number(tmp_path: Path):
    assert read_class_labels(write(tmp_path, HEADER + "0,a,cat\n1,b,dog\n")).names == ("cat", "dog")

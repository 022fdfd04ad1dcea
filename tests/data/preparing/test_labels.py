"""Label files, ours and published ones: what belongs to whom, and what is refused with its line."""

from pathlib import Path

import pytest

from cavmae_sync.data.preparing.labels import LabelFile, read_labels
from cavmae_sync.errors import DatasetError


def write(folder: Path, text: str, *, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_are_found_by_name_or_by_path(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, 'video_id,labels\ndog,bark;growl\n"b/cat","meow, loud"\nnone,x\n'))
    found = labels.of_files(["a/dog.mp4", "b/cat.webm", "a/cat.webm"])
    assert found.labels == (("bark", "growl"), ("meow, loud",), ())
    assert found.use.num_unknown == 1
    assert found.use.by_rule == {"same path": 1, "same name": 1}


def test_a_path_goes_before_a_name(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog,any\nb/dog,this\n"))
    assert labels.of_files(["a/dog.mp4", "b/dog.mp4"]).labels == (("any",), ("this",))


def test_a_name_that_could_mean_several_files_is_refused(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog,any\n"))
    with pytest.raises(DatasetError, match=r"'dog' could be a/dog or b/dog\..*example 'b/dog'"):
        labels.of_files(["a/dog.mp4", "cat.mp4", "b/dog.mp4"])


def test_a_path_is_meant_exactly(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ndog,any\n"))
    assert labels.of_files(["a/dog.mp4", "dog.mp4"]).labels == ((), ("any",))


def test_ids_may_contain_dots(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "video_id,labels\nv1.2,x\n")).of_files(["v1.2.mp4"]).labels == (
        ("x",),
    )


def test_two_encodings_of_a_video_share_its_labels(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "video_id,labels\ncat,meow\n"))
    assert labels.of_files(["cat.mp4", "cat.webm"]).labels == (("meow",), ("meow",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"labels\.csv is empty"),
        ("id,labels\n", r"is not a list of clips in a known format; its first row is 'id,labels'"),
        ("video_id,labels\n", "lists no clip"),
        ("video_id,labels\na,x\nb,x,y\n", "line 3: 3 columns"),
        ("video_id,labels\na,x\n\na,y\n", "line 4: a is already on line 2"),
        ("video_id,labels\n,x\n", "line 2: the video_id is empty"),
        ("video_id,labels\na,x;;y\n", "line 2: the labels 'x,,y' contain an empty"),
        ("video_id,labels\na,\n", "line 2: a has no label"),
        ("video_id,labels\na,x;x\n", "line 2: the labels 'x,x' contain an empty or repeated"),
        ('video_id,labels\na,"x\n', "line 2: unexpected end of data"),
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
    with pytest.raises(DatasetError, match=r"has 'dog\.mp4', the videos are called 'a/dog'"):
        labels.of_files(["a/dog.mp4"])


def test_the_order_of_rows_does_not_matter_for_the_fingerprint(tmp_path: Path) -> None:
    one = read_labels(write(tmp_path, "video_id,labels\na,x\nb,y;z\n"))
    assert one.fingerprint == read_labels(write(tmp_path, "video_id,labels\nb,y;z\na,x\n")).fingerprint
    assert one.fingerprint != read_labels(write(tmp_path, "video_id,labels\na,x\nb,y\n")).fingerprint


AUDIOSET = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=2, num_segs=2, num_unique_labels=2, num_positive_labels=3\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
    '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"\n'
    '-BfNMM5GQ_A, 30.000, 40.000, "/m/068hy"\n'
)


def test_audioset_labels_reach_files_named_as_downloaders_do(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, AUDIOSET))
    found = labels.of_files(["part/--4gqARaEJE_0.000_10.000.mp4", "Y-BfNMM5GQ_A_30000.mkv", "other.mp4"])
    assert found.labels == (("/m/068hy", "/m/07q6cd_"), ("/m/068hy",), ())
    assert found.use.by_rule == {"start in seconds": 1, "Y + start in milliseconds": 1}


def test_another_stretch_of_the_same_video_gets_no_label(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, AUDIOSET))
    found = labels.of_files(["--4gqARaEJE.mp4", "-BfNMM5GQ_A_50.000.mp4"])
    assert found.labels == (("/m/068hy", "/m/07q6cd_"), ())
    assert found.use.num_unknown == 1


def test_vggsound_labels_follow_the_split_and_the_class_list(tmp_path: Path) -> None:
    table = '---g-f_I2yQ,1,people marching,test\n--5OkAjCI7g,40,"bird chirping, tweeting",train\n'
    classes = write(
        tmp_path,
        "index,mid,display_name\n0,a,people marching\n1,b,bird chirping_ tweeting\n",
        name="classes.csv",
    )
    source = LabelFile(path=write(tmp_path, table), split="train", classes=classes, names="mid")
    found = read_labels(source).of_files(["--5OkAjCI7g_000040.mp4", "---g-f_I2yQ_000001.mp4"])
    assert found.labels == (("b",), ())
    with pytest.raises(DatasetError, match=r"only the list of VGGSound has a column.*--split test"):
        read_labels(LabelFile(path=write(tmp_path, AUDIOSET), split="test"))


def test_a_label_outside_the_class_list_is_refused(tmp_path: Path) -> None:
    classes = write(tmp_path, "index,mid,display_name\n0,a,cat\n", name="classes.csv")
    source = LabelFile(path=write(tmp_path, "video_id,labels\nx,cat;dog\n"), classes=classes)
    with pytest.raises(DatasetError, match=r"1 labels are not classes of .*classes\.csv: 'dog'"):
        read_labels(source)

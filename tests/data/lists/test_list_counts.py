"""What a list holds, counted by hand."""

from pathlib import Path

from cavmae_sync.data.lists import ListedClip, ListFile
from cavmae_sync.data.lists.classes import ClassLabels
from cavmae_sync.data.lists.list_counts import count_list


def test_counts():
    rows = [
        ("-bcdefghijk_000001", ("cat", "dog")),
        ("-bcdefghijk_000030", ("cat",)),
        ("abcdefghijk_000030", ("cat", "ufo")),
        ("abcdefghijk_000030", ("cat", "dog")),
        ("other", ()),
    ]
    clips = tuple(ListedClip(line=n, id=name, labels=labels) for n, (name, labels) in enumerate(rows))
    classes = ClassLabels(path=Path("c.csv"), mids=("m0", "m1", "m2"), names=("cat", "dog", "owl"))
    audit = count_list(
        ListFile(path=Path("x"), kind="text", clips=clips, num_declared=9, num_expected_classes=4),
        classes=classes,
    )
    assert (audit.num_rows, audit.num_declared, audit.num_classes) == (5, 9, 3)
    assert audit.num_expected_classes == 4
    assert audit.clips_per_class == (1, 2.0, 4)
    assert audit.labels_per_clip == 7 / 5
    assert (audit.num_unlabelled, audit.num_repeated, audit.num_from_same_video) == (1, 1, 1)
    assert (audit.unknown_labels, audit.empty_classes) == (("ufo",), ("owl",))
    assert audit.to_table("x").row_count == 12
    assert audit.to_dict()["num_rows"] == 5


def test_without_labels_and_without_classes():
    file = ListFile(path=Path("x"), kind="text", clips=(ListedClip(line=1, id="a", labels=()),))
    audit = count_list(file)
    assert (audit.clips_per_class, audit.unknown_labels, audit.empty_classes) == (None, None, None)
    assert audit.to_table("x").row_count == 7

"""Lists of clips: their fingerprint, whatever the format, and the prepared clips on them."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.data import ClipList, PreparedDataset, prepare, read_clip_list, select
from cavmae_sync.errors import DatasetError

from ...small_videos import SMALL

LIST = ClipList(
    ids=("-bcdefghijk_000001", "straße 1", "b/dog"),
    labels=(("cat", "Male speech, man speaking"), (), ("bird chirping_ tweeting",)),
    name="list",
    source="by hand",
)


def test_the_fingerprint_is_what_it_says():
    text = "-bcdefghijk_000001\tcat\tMale speech, man speaking\nstraße 1\nb/dog\tbird chirping_ tweeting\n"
    assert LIST.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert len(LIST) == 3


@given(st.permutations(range(3)))
def test_the_fingerprint_depends_on_the_order(order: list[int]):
    other = ClipList(
        ids=tuple(LIST.ids[i] for i in order),
        labels=tuple(LIST.labels[i] for i in order),
        name="another name",
        source="elsewhere",
    )
    assert (other.sha256 == LIST.sha256) == (order == [0, 1, 2])


@pytest.mark.parametrize(
    ("ids", "labels"),
    [
        ((), ()),
        (("a",), ()),
        (("a", "a"), ((), ())),
        (("a\tb",), ((),)),
        (("",), ((),)),
        (("a",), (("x\n",),)),
    ],
)
def test_what_is_no_list(ids, labels):
    with pytest.raises(ValueError, match=r"ids|a list needs"):
        ClipList(ids=ids, labels=labels, name="n", source="s")


def test_a_clip_twice_is_refused_with_both_places(tmp_path: Path):
    (tmp_path / "l.txt").write_text("a\nb\na\n")
    with pytest.raises(DatasetError, match=r"l\.txt line 3: a is already on line 1"):
        read_clip_list(tmp_path / "l.txt")
    (tmp_path / "l.json").write_text(json.dumps({"data": [{"video_id": "a"}, {"video_id": "a"}]}))
    with pytest.raises(DatasetError, match=r"l\.json entry 1: a is already on entry 0"):
        read_clip_list(tmp_path / "l.json")


def test_an_id_that_cannot_be_printed_is_refused(tmp_path: Path):
    (tmp_path / "l.json").write_text(json.dumps({"data": [{"video_id": "a\tb"}]}))
    with pytest.raises(DatasetError, match=r"l\.json: ids and labels must be printable"):
        read_clip_list(tmp_path / "l.json")


def as_list(*ids: str) -> ClipList:
    return ClipList(ids=ids, labels=((),) * len(ids), name="wanted", source="here")


def test_clips_come_in_the_order_of_the_list(prepared_videos: Path):
    clips = PreparedDataset.open(prepared_videos)
    chosen = select(clips, as_list("quiet", "nobody", "b/dog", "long@2.000"))
    assert chosen.clips.clip_ids == ["quiet", "b/dog", "long@2.000"]
    assert chosen.missing == ("nobody",)
    assert (chosen.by_rule, chosen.num_spare) == ({"same path": 3}, 0)


def test_a_list_of_other_clips_is_refused(prepared_videos: Path):
    with pytest.raises(DatasetError, match=r"None of the 1 clips of wanted \(the first is 'dog2'\)"):
        select(PreparedDataset.open(prepared_videos), as_list("dog2"))


def test_a_name_that_could_be_two_clips_is_refused(prepared_videos: Path):
    with pytest.raises(DatasetError, match="'dog' could be a/dog or b/dog"):
        select(PreparedDataset.open(prepared_videos), as_list("dog"))


def test_a_cut_of_a_longer_file_is_not_the_file(prepared_videos: Path):
    """`long` gave three clips, and nothing says which of them is meant."""
    chosen = select(PreparedDataset.open(prepared_videos), as_list("long", "still"))
    assert (chosen.clips.clip_ids, chosen.missing) == (["still"], ("long",))


def test_a_list_that_knows_starts_refuses_other_stretches(videos: Path, tmp_path: Path):
    """AudioSet: the id is that of the video, the start stands beside it."""
    table = '-bcdefghijk, 30.000, 40.000, "/m/068hy"\nabcdefghijk, 0.000, 10.000, "/m/068hy"\n'
    (tmp_path / "segments.csv").write_text(table)
    wanted = read_clip_list(tmp_path / "segments.csv")
    assert wanted.start_seconds == (30.0, 0.0)
    assert wanted.take([1]).start_seconds == (0.0,)
    named = tmp_path / "named"
    named.mkdir()
    for name in ("-bcdefghijk_50", "abcdefghijk_0"):
        shutil.copy(videos / "a" / "dog.mp4", named / f"{name}.mp4")
    prepare(named, out=tmp_path / "out", config=SMALL, num_workers=0)
    chosen = select(PreparedDataset.open(tmp_path / "out"), wanted)
    assert (chosen.clips.clip_ids, chosen.missing) == (["abcdefghijk_0"], ("-bcdefghijk",))

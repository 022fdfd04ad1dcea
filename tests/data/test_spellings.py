"""Accented letters in one piece (NFC) and in two (NFD) are one name, wherever a list meets a disk."""

import shutil
from pathlib import Path

import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare, read_clip_list, select
from cavmae_sync.data.lists import WantedClip, match_names
from cavmae_sync.data.lists.classes import ClassLabels
from cavmae_sync.data.lists.formats import read_list_file
from cavmae_sync.data.preparing.labels import read_labels
from cavmae_sync.data.preparing.sources import list_sources
from cavmae_sync.data.spellings import DiskSpellings, Spellings
from cavmae_sync.embedding import DatasetEmbeddings
from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.localization.ade20k import read_rows
from cavmae_sync.tasks.retrieval.comparison import in_order_of

ONE_PIECE, TWO_PIECES = "caf\u00e9", "cafe\u0301"
#: An o with two marks has three spellings.
WHOLE, HALF, APART = "\u1ed9", "o\u0323\u0302", "\u1ecd\u0302"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("listed", "named"), [(ONE_PIECE, TWO_PIECES), (TWO_PIECES, ONE_PIECE)])
def test_labels_find_a_file_spelled_otherwise(tmp_path: Path, listed: str, named: str):
    labels = read_labels(write(tmp_path / "labels.csv", f"video_id,labels\n{listed},dog\n"))
    found = labels.of_files([f"{named}.mp4"])
    assert found.labels == (("dog",),)
    assert found.use.num_unknown == 0
    assert found.use.by_rule == {"same path, other form": 1}
    assert labels.of_files([f"a/{named}.mp4"]).use.by_rule == {"same name, other form": 1}


def test_what_is_spelled_the_same_goes_first():
    """Both in one folder are two files; a row belongs to the one that it spells."""
    both = [TWO_PIECES, ONE_PIECE]
    assert match_names(both, [WantedClip(id=ONE_PIECE)]).wanted_of == (None, 0)
    assert match_names(both, [WantedClip(id=ONE_PIECE), WantedClip(id=TWO_PIECES)]).wanted_of == (1, 0)
    assert match_names([f"a/{TWO_PIECES}", ONE_PIECE], [WantedClip(id=TWO_PIECES)]).wanted_of == (0, None)


def test_what_could_be_either_is_refused():
    with pytest.raises(DatasetError, match=r"could be 'o\\u0323\\u0302' or '\\u1ecd\\u0302'. Remove one"):
        match_names([HALF, APART], [WantedClip(id=WHOLE)])
    with pytest.raises(DatasetError, match=r"look the same.*Rename all but one"):
        Spellings([HALF, APART]).find(WHOLE)


def test_a_list_opens_files_spelled_otherwise(tmp_path: Path):
    write(tmp_path / f"{TWO_PIECES}-folder" / f"{TWO_PIECES}.mp4", "x")
    source = write(tmp_path / "list.txt", f"{ONE_PIECE}-folder/{ONE_PIECE}.mp4\nnot-there-{ONE_PIECE}.mp4\n")
    files = list_sources(source).files
    assert [file.path for file in files] == [
        f"{TWO_PIECES}-folder/{TWO_PIECES}.mp4",
        f"not-there-{ONE_PIECE}.mp4",
    ]
    assert [file.num_bytes for file in files] == [1, None]


def test_a_list_may_not_name_one_file_in_two_spellings(tmp_path: Path):
    write(tmp_path / f"{TWO_PIECES}.mp4", "x")
    source = write(tmp_path / "list.txt", f"{ONE_PIECE}.mp4\n{TWO_PIECES}.mp4\n")
    with pytest.raises(DatasetError, match=r"line 2: .* is already listed on line 1"):
        list_sources(source)


def test_a_list_takes_each_of_two_files_that_look_the_same(tmp_path: Path):
    for name in (ONE_PIECE, TWO_PIECES):
        write(tmp_path / f"{name}.mp4", name)
    source = write(tmp_path / "list.csv", f"file\n{TWO_PIECES}.mp4\n{ONE_PIECE}.mp4\n")
    assert [file.path for file in list_sources(source).files] == [f"{TWO_PIECES}.mp4", f"{ONE_PIECE}.mp4"]
    assert [file.id for file in list_sources(tmp_path).files] == [TWO_PIECES, ONE_PIECE]


def test_the_disk_keeps_its_spelling(tmp_path: Path):
    file = write(tmp_path / TWO_PIECES / "a.mp4", "x")
    assert DiskSpellings().find(tmp_path / ONE_PIECE / "a.mp4") == file
    assert DiskSpellings().find(tmp_path / ONE_PIECE / "b.mp4") == tmp_path / ONE_PIECE / "b.mp4"


def test_a_dataset_whose_file_is_spelled_otherwise(tmp_path: Path, videos: Path):
    """The case of `labels_nfc.csv`, whole: prepared with its label, and found by a list."""
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(videos / "a" / "dog.mp4", folder / f"{TWO_PIECES}.mp4")
    prepare(
        folder,
        out=tmp_path / "data",
        labels=write(tmp_path / "labels.csv", f"video_id,labels\n{ONE_PIECE},dog\n"),
        config=PrepareConfig(num_frames=4, frame_pixels=32),
        num_workers=0,
    )
    with PreparedDataset.open(tmp_path / "data") as clips:
        assert clips.labels == [("dog",)]
        assert clips.row(0).source == f"{TWO_PIECES}.mp4"
        wanted = read_clip_list(write(tmp_path / "list.txt", f"{ONE_PIECE}\n"))
        assert select(clips, wanted).clips.clip_ids == [TWO_PIECES]


def test_vectors_of_others_are_matched():
    vectors_NTD = torch.eye(2)[:, None]
    theirs = DatasetEmbeddings(
        audio_NTD=vectors_NTD,
        visual_NTD=vectors_NTD,
        clip_ids=("dog", ONE_PIECE),
        labels=((), ()),
        clip_list="theirs",
        weights="<none>",
        made_with={},
    )
    ordered = in_order_of(theirs, (TWO_PIECES, "dog"), name="theirs", other="ours")
    assert ordered.clip_ids == (TWO_PIECES, "dog")
    assert torch.equal(ordered.audio_NTD, vectors_NTD.flip(0))


def test_labels_are_words_and_kept_in_one_form(tmp_path: Path):
    rows = write(tmp_path / "labels.csv", f"video_id,labels\na,{TWO_PIECES}\n")
    assert read_list_file(rows).clips[0].labels == (ONE_PIECE,)
    classes = ClassLabels(path=tmp_path, mids=("m",), names=(ONE_PIECE,))
    assert classes.rename([read_list_file(rows).clips[0].labels], "mid") == [("m",)]


def test_tables_of_pictures_and_sounds(tmp_path: Path):
    write(
        tmp_path / "prompted_segmentation.csv",
        f"image_location,vggsound_file,ade_class_id\n{ONE_PIECE}/1.jpg,{ONE_PIECE}.wav,7\n",
    )
    for path in (
        f"frames/{TWO_PIECES}/1.jpg",
        f"annotations/{TWO_PIECES}/1_seg.png",
        f"audio/{TWO_PIECES}.wav",
    ):
        write(tmp_path / path, "")
    (row,), _ = read_rows(tmp_path)
    assert all(path.exists() for path in (row.image, row.annotation, row.sound))

"""Which files are prepared, in which order and under which id."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.data.preparing.sources import list_sources, unique_ids
from cavmae_sync.errors import DatasetError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_is_walked_in_order_and_others_are_listed_as_skipped(tmp_path: Path) -> None:
    touch(tmp_path, "b/dog.mp4", "a/dog.MKV", "a/notes.txt", ".cache/x.mp4", "z.wav")
    found = list_sources(tmp_path)
    assert [file.path for file in found.files] == ["a/dog.MKV", "b/dog.mp4", "z.wav"]
    assert [file.id for file in found.files] == ["a/dog", "b/dog", "z"]
    assert [(skip.file, skip.reason) for skip in found.skipped] == [
        (".cache/x.mp4", "hidden"),
        ("a/notes.txt", "not_media"),
    ]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    outside, root = touch(tmp_path / "disk", "2023/a.mp4", "2024/b.mp4"), touch(tmp_path / "all", "own/c.mp4")
    links = {
        "y2023": outside / "2023",
        "disk": outside,
        "also_own": root / "own",
        "own/loop": root,
        "own/up": tmp_path,
        ".hidden": outside,
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    found = list_sources(root)
    assert [file.path for file in found.files] == ["disk/2024/b.mp4", "own/c.mp4", "y2023/a.mp4"]
    assert {skip.file: skip.reason for skip in found.skipped} == {
        ".hidden": "hidden",
        "also_own": "repeated",
        "disk/2023": "repeated",
        "own/loop": "repeated",
        "own/up/all": "repeated",
        "own/up/disk": "repeated",
    }


def test_a_linked_root_is_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(touch(tmp_path / "real", "a/b.mp4"))
    assert [file.path for file in list_sources(tmp_path / "link").files] == ["a/b.mp4"]


ODD_NAMES = [" first.mp4", "last.mp4 ", "line\u2028separator.mp4", "next\x85line.mp4", "tab\t.mp4"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "header"), [("list.txt", []), ("list.csv", ["file"])])
def test_names_are_taken_as_they_are(tmp_path: Path, name: str, header: list[str], line_end: str) -> None:
    touch(tmp_path, *ODD_NAMES)
    (tmp_path / name).write_bytes("".join(line + line_end for line in [*header, *ODD_NAMES]).encode())
    assert [file.path for file in list_sources(tmp_path / name).files] == ODD_NAMES


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "# what we keep\nb/two.mp4\n\none.strange\n"),
        ("list.csv", "file,comment\nb/two.mp4,good\none.strange,any ending\n"),
    ],
)
def test_lists_keep_their_order_and_take_any_ending(tmp_path: Path, name: str, text: str) -> None:
    touch(tmp_path, "b/two.mp4", "one.strange")
    (tmp_path / name).write_text(text)
    found = list_sources(tmp_path / name)
    assert [file.path for file in found.files] == ["b/two.mp4", "one.strange"]
    assert found.root == tmp_path


def test_a_list_may_point_elsewhere(tmp_path: Path) -> None:
    touch(tmp_path, "videos/a/1.mp4", "videos/b/2.mp4", "lists/.keep")
    list_file = tmp_path / "lists" / "list.txt"
    list_file.write_text(f"../videos/a/1.mp4\n{tmp_path}/videos/b/2.mp4\n")
    found = list_sources(list_file)
    assert found.root == tmp_path / "videos"
    assert [file.id for file in found.files] == ["a/1", "b/2"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.txt", "a.mp4\n./a.mp4\n", "line 2: ./a.mp4 is already listed on line 1"),
        ("list.csv", "path\na.mp4\n", 'no column "file"'),
        ("list.csv", "file,x\n,1\n", 'line 2: the column "file" is empty'),
        ("list.txt", "\n", "lists no file"),
        ("list.csv", "file\n", "lists no file"),
        ("list.txt", "<html></html>\n", "is a web page or a PDF"),
    ],
)
def test_odd_lists_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        list_sources(tmp_path / name)


def test_one_media_file_is_a_list_of_one(tmp_path: Path) -> None:
    found = list_sources(touch(tmp_path, "a.mp4", "b.mp4") / "b.mp4")
    assert (found.root, [file.path for file in found.files]) == (tmp_path, ["b.mp4"])


def test_no_source(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="neither a folder nor a file"):
        list_sources(tmp_path / "nothing")
    with pytest.raises(DatasetError, match=r"no media files \(1 other files\)"):
        list_sources(touch(tmp_path, "readme.md"))


def test_the_fingerprint_knows_names_and_sizes(tmp_path: Path) -> None:
    before = list_sources(touch(tmp_path, "a.mp4")).fingerprint
    assert list_sources(tmp_path).fingerprint == before
    (tmp_path / "a.mp4").write_bytes(b"longer")
    assert list_sources(tmp_path).fingerprint != before


NAMES = st.text("ab.", min_size=1, max_size=5).filter(lambda name: name.strip("."))


@given(st.lists(NAMES, unique=True, max_size=12))
def test_ids_are_unique(paths: list[str]) -> None:
    ids = unique_ids(paths)
    assert len(set(ids)) == len(paths)


def test_a_shared_id_keeps_the_ending() -> None:
    assert unique_ids(["a.mp4", "a.webm", "a.mp4.mkv", "b.mp4"]) == ["a.mp4", "a.webm", "a.mp4.mkv", "b"]

"""Footage changes: files are added, changed, moved, renamed, removed, and disks are unplugged."""

import os
import shutil
from pathlib import Path

import pytest

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import (
    Catalogue,
    FillOptions,
    add_to_library,
    open_library,
    remove_files,
    update_library,
)
from cavmae_sync.errors import ConfigError

from .conftest import HERE, SMALL, Counting, Held, make_video


@pytest.fixture
def footage(videos: Path, tmp_path: Path) -> Path:
    """Three small videos, one of them in a folder."""
    folder = tmp_path / "footage"
    (folder / "day 1").mkdir(parents=True)
    for name in ("a/dog.mp4", "b 'ü' 音.mp4"):
        shutil.copy(videos / name, folder / "day 1")
    shutil.copy(videos / "mute.mp4", folder)
    return folder


@pytest.fixture
def grown(footage: Path, embedder: Embedder, tmp_path: Path) -> Path:
    out = tmp_path / "library"
    add_to_library(embedder, footage, out=out, config=SMALL, options=HERE)
    return out


def states(library: Path) -> dict[str, str]:
    with Catalogue(library) as catalogue:
        return {row.path: row.state for row in catalogue.files()}


def ids(library: Path) -> set[str]:
    return set(open_library(library).clips()["id"].to_pylist())


def parts(library: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in library.rglob("*.arrow")}


def test_new_files_are_read_and_nothing_else(footage: Path, grown: Path, counting: Counting) -> None:
    before, rows = ids(grown), parts(grown)
    make_video(footage / "day 2" / "new.mp4", seconds=1.0, seed=9)
    run = update_library(counting, grown, options=HERE)
    assert (run.throughput.num_files, counting.num_frames) == (1, 2)
    assert before < ids(grown)
    assert len(ids(grown)) == len(before) + 1
    assert parts(grown).items() > rows.items()


def test_moved_renamed_and_copied_files_are_known(footage: Path, grown: Path, counting: Counting) -> None:
    """`a.mov` beside `a.mp4` changes no id; ids follow from content."""
    before, rows = ids(grown), parts(grown)
    (footage / "day 1" / "dog.mp4").rename(footage / "cat.mp4")
    (footage / "day 1").rename(footage / "first day")
    shutil.copy(footage / "mute.mp4", footage / "mute.mov")
    update_library(counting, grown, options=HERE)
    assert (counting.num_frames, counting.num_segments) == (0, 0)
    assert (ids(grown), parts(grown)) == (before, rows)
    assert states(grown) == {
        "cat.mp4": "ok",
        "first day/b 'ü' 音.mp4": "ok",
        "mute.mov": "ok",
        "mute.mp4": "ok",
    }
    clips = {row["id"]: row["source"] for row in open_library(grown).clips().to_pylist()}
    assert set(clips.values()) == {"cat.mp4", "first day/b 'ü' 音.mp4", "mute.mov"}


def test_a_changed_file_is_read_again_and_its_old_vectors_are_not_found(
    footage: Path, grown: Path, counting: Counting
) -> None:
    before = ids(grown)
    make_video(footage / "mute.mp4", seconds=1.0, seed=11)
    update_library(counting, grown, options=HERE)
    assert counting.num_frames == 2
    assert len(ids(grown) - before) == len(before - ids(grown)) == 1


def test_a_touched_file_is_read_but_not_encoded(footage: Path, grown: Path, counting: Counting) -> None:
    os.utime(footage / "mute.mp4", (1, 1))
    run = update_library(counting, grown, options=HERE)
    assert (run.throughput.num_files, counting.num_frames) == (1, 0)
    again = update_library(counting, grown, options=HERE)
    assert again.throughput.num_files == 0


def test_files_that_are_gone_can_come_back_or_be_forgotten(
    footage: Path, grown: Path, counting: Counting, tmp_path: Path
) -> None:
    before = ids(grown)
    (footage / "mute.mp4").rename(tmp_path / "aside.mp4")
    update_library(counting, grown, options=HERE)
    assert states(grown)["mute.mp4"] == "gone"
    assert len(ids(grown)) == len(before) - 1
    (tmp_path / "aside.mp4").rename(footage / "mute.mp4")
    run = update_library(counting, grown, options=HERE)
    assert (run.throughput.num_files, counting.num_frames, ids(grown)) == (0, 0, before)
    (footage / "mute.mp4").unlink()
    update_library(counting, grown, options=HERE)
    with Catalogue(grown) as catalogue:
        gone = catalogue.files(state="gone")
    assert remove_files(grown, gone) == 1
    assert "mute.mp4" not in states(grown)
    assert len(parts(grown)) == 2


def test_removing_one_of_two_copies_keeps_the_vectors(footage: Path, grown: Path, counting: Counting) -> None:
    shutil.copy(footage / "mute.mp4", footage / "copy.mp4")
    update_library(counting, grown, options=HERE)
    with Catalogue(grown) as catalogue:
        copy = [row for row in catalogue.files() if row.path == "copy.mp4"]
    assert remove_files(grown, copy) == 0
    assert len(parts(grown)) == 3
    assert remove_files(grown, [], roots=["footage"]) == 3
    assert (parts(grown), states(grown)) == ({}, {})


@pytest.mark.parametrize("leaves_folder", [True, False])
def test_an_unplugged_disk_deletes_nothing(
    footage: Path, grown: Path, counting: Counting, tmp_path: Path, leaves_folder: bool
) -> None:
    """A place where a disk is mounted is an empty folder without it."""
    before, rows = ids(grown), parts(grown)
    footage.rename(tmp_path / "unplugged")
    if leaves_folder:
        footage.mkdir()
    run = update_library(counting, grown, options=HERE)
    assert (ids(grown), parts(grown)) == (before, rows)
    assert set(states(grown).values()) == {"ok"}
    assert run.report.num_offline == (0 if leaves_folder else 3)
    with Catalogue(grown, is_writable=True) as catalogue:
        root = catalogue.roots()["footage"]
        catalogue.put_root(type(root)(name=root.name, path=tmp_path / "unplugged", is_listed=root.is_listed))
    run = update_library(counting, grown, options=HERE)
    assert (run.report.num_offline, run.throughput.num_files, counting.num_frames) == (0, 0, 0)


def test_failed_files_are_read_again_when_they_change_or_are_asked_for(
    footage: Path, embedder: Embedder, tmp_path: Path
) -> None:
    (footage / "bad.mp4").write_text("no video")
    out = tmp_path / "library"
    add_to_library(embedder, footage, out=out, config=SMALL, options=HERE)
    assert states(out)["bad.mp4"] == "failed"
    assert update_library(embedder, out, options=HERE).throughput.num_files == 0
    again = FillOptions(num_workers=0, retries=True)
    assert update_library(embedder, out, options=again).throughput.num_files == 1
    make_video(footage / "bad.mp4", seconds=1.0, seed=12)
    update_library(embedder, out, options=HERE)
    assert states(out)["bad.mp4"] == "ok"


def test_a_part_that_lies_there_is_not_made_again(
    footage: Path, grown: Path, counting: Counting, held: Held
) -> None:
    """As after a kill between part and catalogue, or where the catalogue was lost."""
    before = held(grown)
    (grown / "catalogue.sqlite").unlink()
    add_to_library(counting, footage, out=grown, config=SMALL, options=HERE)
    assert counting.num_frames == 0
    assert held(grown) == before


def test_a_part_that_is_lost_is_made_again(grown: Path, counting: Counting) -> None:
    """As the message about a damaged part promises."""
    before = parts(grown)
    next(path for path in grown.rglob("*.arrow")).unlink()
    update_library(counting, grown, options=HERE)
    assert parts(grown) == before


def test_a_file_that_is_written_to_while_it_is_read_is_read_again(
    footage: Path, embedder: Embedder, tmp_path: Path
) -> None:
    victim = footage / "long.mp4"
    make_video(victim, seconds=6.5, seed=3)

    def touch(done: int, total: int, _throughput: object) -> None:
        if 0 < done < total and victim.stat().st_mtime_ns != 1:
            os.utime(victim, ns=(1, 1))

    out = tmp_path / "library"
    options = FillOptions(num_workers=0, on_progress=touch)
    run = add_to_library(embedder, victim, out=out, config=SMALL, options=options)
    assert not run.report.is_complete
    assert [(row.path, row.reason) for row in run.failed] == [("long.mp4", "changing")]
    update_library(embedder, out, options=HERE)
    assert states(out) == {"long.mp4": "ok"}


def test_roots_have_names_of_their_own(
    videos: Path, footage: Path, embedder: Embedder, tmp_path: Path
) -> None:
    out = tmp_path / "library"
    other = tmp_path / "other" / "footage"
    shutil.copytree(footage, other)
    add_to_library(embedder, footage / "day 1", out=out, config=SMALL, options=HERE, root="shoot")
    add_to_library(embedder, other, out=out, options=HERE)
    add_to_library(embedder, footage, out=out, options=HERE)  # above a root: a root of its own
    add_to_library(embedder, other / "day 1" / "dog.mp4", out=out, options=HERE)  # below a root: in it
    with Catalogue(out) as catalogue:
        assert {name: root.path for name, root in catalogue.roots().items()} == {
            "shoot": footage / "day 1",
            "footage": other,
            "footage-2": footage,
        }
        assert not any(root.is_listed for root in catalogue.roots().values())
    with pytest.raises(ConfigError, match=r"The root 'shoot' is .*day 1"):
        add_to_library(embedder, videos, out=out, options=HERE, root="shoot")
    with pytest.raises(ConfigError, match=r"has no root 'nowhere'\. It has: shoot, footage, footage-2"):
        update_library(embedder, out, roots=["nowhere"], options=HERE)


def test_files_of_a_list_are_looked_at_and_no_others(
    videos: Path, footage: Path, embedder: Embedder, tmp_path: Path
) -> None:
    listed = tmp_path / "few.txt"
    listed.write_text("footage/mute.mp4\nfootage/day 1/dog.mp4\n")
    out = tmp_path / "library"
    add_to_library(embedder, listed, out=out, config=SMALL, options=HERE)
    make_video(footage / "new.mp4", seconds=1.0, seed=9)
    (footage / "mute.mp4").unlink()
    update_library(embedder, out, options=HERE)
    assert states(out) == {"footage/day 1/dog.mp4": "ok", "footage/mute.mp4": "gone"}

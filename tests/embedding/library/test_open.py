"""Reading a library: in order, part by part or all at once; and what is not a library."""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from cavmae_sync.embedding import read_embeddings
from cavmae_sync.embedding.library import open_library
from cavmae_sync.embedding.library.schema import part_path
from cavmae_sync.errors import DatasetError


@pytest.fixture
def copy(library: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(library, tmp_path / "copy"))


def test_vectors_come_in_the_order_of_files_and_are_unit(library: Path) -> None:
    opened = open_library(library)
    whole = opened.embeddings()
    lengths = torch.linalg.vector_norm(whole.visual_NTD, dim=-1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    files = list(dict.fromkeys(opened.clips()["source"].to_pylist()))
    assert files == ["a/dog.mp4", "b 'ü' 音.mp4", "long.mp4", "mute.mp4", "sound.wav"]
    assert sum(map(len, opened.vectors("audio"))) == 2 + 3 + 13 + 5
    assert sum(map(len, opened.vectors("visual"))) == 2 + 3 + 13 + 2
    assert whole.weights == opened.record.encoder.weights


def test_rows_of_a_part_are_read_in_place(library: Path) -> None:
    """float32 vectors are not copied: they lie in the mapped file."""
    opened = open_library(library)
    content = next(row.content for row in opened.files() if row.path == "long.mp4")
    rows_FD = opened.part(content or "").vectors("visual")
    assert rows_FD is not None
    assert not rows_FD.flags.owndata
    with pa.memory_map(str(part_path(library, content or ""))) as file:
        table = pa.ipc.open_file(file).read_all()
        assert table["visual"][0].as_py() == rows_FD[:2].tolist()


def test_what_is_no_library_is_refused(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"has no library\.json\. Make one"):
        open_library(tmp_path / "empty")
    record = copy / "library.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"schema_version": 99}))
    with pytest.raises(DatasetError, match="has version 99 of the format"):
        open_library(copy)
    record.write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(DatasetError, match="is not what it should be"):
        open_library(copy)


def test_damaged_parts_are_named(copy: Path) -> None:
    opened = open_library(copy)
    content = next(row.content for row in opened.files() if row.path == "long.mp4") or ""
    path = part_path(copy, content)
    whole = path.read_bytes()
    for damaged in (whole[:-9], bytes(len(whole)), b""):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=f"{content}.arrow is damaged"):
            opened.part(content)
    path.unlink()
    with pytest.raises(DatasetError, match=r"is missing\. Run cavmae-sync index update"):
        opened.part(content)


@pytest.mark.parametrize("change", ["content", "model", "length", "not a number", "link"])
def test_parts_that_do_not_belong_are_refused(copy: Path, change: str, tmp_path: Path) -> None:
    opened = open_library(copy)
    contents = {row.path: row.content or "" for row in opened.files()}
    path = part_path(copy, contents["long.mp4"])
    if change == "content":
        shutil.copy(part_path(copy, contents["a/dog.mp4"]), path)
    elif change == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        if change == "model":
            about = {
                b"cavmae_sync": table.schema.metadata[b"cavmae_sync"].replace(b'made_by": "', b'made_by": "x')
            }
            table = table.replace_schema_metadata(about)
        else:
            column = table.schema.get_field_index("audio")
            rows = np.array(table["audio"].combine_chunks().flatten().flatten())
            rows[0] = np.nan if change == "not a number" else 7.0
            inner = pa.FixedSizeListArray.from_arrays(pa.array(rows, pa.float32()), 16)
            made = pa.ListArray.from_arrays(table["audio"].combine_chunks().offsets, inner)
            table = table.set_column(column, table.schema.field(column), made)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table)
    with pytest.raises(DatasetError, match=r"another model|leads out|not of unit length"):
        opened.part(contents["long.mp4"]).vectors("audio")


@pytest.mark.parametrize(
    ("query", "match"),
    [
        ("UPDATE files SET path = '../../etc/passwd' WHERE path = 'long.mp4'", "leads out of its root"),
        ("UPDATE files SET content = '../x' WHERE path = 'long.mp4'", "names the content"),
        ("UPDATE contents SET content = '../../x' WHERE rowid = 1", "names the content"),
        ("DROP TABLE files", "no such table"),
        ("PRAGMA application_id = 7", "was not written by this program"),
    ],
)
def test_a_catalogue_of_a_stranger_leads_nowhere_else(copy: Path, query: str, match: str) -> None:
    connection = sqlite3.connect(copy / "catalogue.sqlite")
    connection.execute(query)
    connection.commit()
    connection.close()
    with pytest.raises(DatasetError, match=match):
        open_library(copy).contents()


def test_a_catalogue_that_is_none_is_refused(copy: Path) -> None:
    (copy / "catalogue.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(DatasetError, match="cannot be used"):
        open_library(copy).files()


def test_a_library_is_read_like_a_file_of_vectors(library: Path) -> None:
    found, whole = read_embeddings(library), open_library(library).embeddings()
    assert torch.equal(found.audio_NTD, whole.audio_NTD)
    assert found.clip_list == whole.clip_list


def test_a_library_on_a_disk_that_cannot_be_written_to_is_read(copy: Path) -> None:
    for path in copy.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert open_library(copy).report().num_files == 6

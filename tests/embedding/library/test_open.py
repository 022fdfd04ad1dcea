"""Reading a library: in order, some clips at a time, or all at once; and what is not a library."""

import json
import shutil
from pathlib import Path

import polars
import pyarrow.parquet as pq
import pytest
import torch

from cavmae_sync.embedding import read_embeddings
from cavmae_sync.embedding.library import open_library
from cavmae_sync.errors import DatasetError


def test_vectors_come_in_the_order_of_clips_and_are_unit(library: Path) -> None:
    opened = open_library(library)
    whole = opened.embeddings()
    parts = list(opened.vectors(num_clips=3))
    assert max(len(audio_NTD) for audio_NTD, _ in parts) == 3
    assert torch.equal(torch.cat([audio_NTD for audio_NTD, _ in parts]), whole.audio_NTD)
    assert torch.equal(torch.cat([visual_NTD for _, visual_NTD in parts]), whole.visual_NTD)
    assert whole.audio_NTD.shape == (len(opened), 2, 16)
    lengths = torch.linalg.vector_norm(whole.visual_NTD, dim=-1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    assert whole.clip_ids == tuple(opened.clips()["id"].to_pylist())
    assert (whole.clip_list, whole.weights) == (
        opened.record["list_sha256"],
        opened.record["plan"]["weights"],
    )


def test_other_programs_read_the_parts_as_they_are(library: Path) -> None:
    whole = open_library(library).embeddings()
    table = pq.read_table(library / "parts")
    assert table.schema.field("audio").type.list_size == 2
    frame = polars.read_parquet(library / "parts" / "*.parquet")
    assert frame["id"].to_list() == list(whole.clip_ids)
    assert torch.equal(torch.from_numpy(frame["audio"].to_numpy().copy()), whole.audio_NTD)


def test_only_the_columns_asked_for_are_read(library: Path) -> None:
    batches = list(open_library(library).batches(["id", "start_seconds"], num_clips=4))
    assert {tuple(batch.schema.names) for batch in batches} == {("id", "start_seconds")}


def test_what_is_no_library_is_refused(library: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no library\.json\. Make it"):
        open_library(tmp_path)
    shutil.copytree(library, tmp_path / "copy")
    part = tmp_path / "copy" / "parts" / "part-000000.parquet"
    content = part.read_bytes()
    part.write_bytes(content[:-9])
    with pytest.raises(DatasetError, match=rf"has {len(content) - 9} bytes, {len(content)} are needed"):
        open_library(tmp_path / "copy")
    part.write_bytes(bytes(len(content)))
    with pytest.raises(DatasetError, match="is damaged"):
        open_library(tmp_path / "copy").embeddings()
    part.unlink()
    with pytest.raises(DatasetError, match="is missing"):
        open_library(tmp_path / "copy")
    record = tmp_path / "copy" / "library.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"schema_version": 99}))
    with pytest.raises(DatasetError, match="has version 99 of the format"):
        open_library(tmp_path / "copy")
    record.write_text("{}")
    with pytest.raises(DatasetError, match="is not what it should be"):
        open_library(tmp_path / "copy")


def test_a_library_is_read_like_a_file_of_vectors(library: Path) -> None:
    found, whole = read_embeddings(library), open_library(library).embeddings()
    assert torch.equal(found.audio_NTD, whole.audio_NTD)
    assert found.clip_list == whole.clip_list

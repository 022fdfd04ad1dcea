"""A prepared dataset that a stranger made: nothing outside its folder is read, and what is wrong is told."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.storage.mapped_table import MAPPED_FILE, write_mapped
from cavmae_sync.data.storage.tables import CLIPS_FILE, CLIPS_SCHEMA, SHARDS_FOLDER, read_table, write_table
from cavmae_sync.errors import DatasetError

from ...kills import run_apart


@pytest.fixture
def copy(prepared_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared_folder, tmp_path / "copy"))


def change_record(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((folder / "dataset.json").read_text())
    change(record)
    (folder / "dataset.json").write_text(json.dumps(record))


def change_clips(folder: Path, name: str, value: Any) -> None:
    """The first clip says something else, in both tables."""
    table = read_table(folder / CLIPS_FILE, CLIPS_SCHEMA)
    column = table[name].to_pylist()
    column[0] = value
    place = CLIPS_SCHEMA.get_field_index(name)
    table = table.set_column(
        place, CLIPS_SCHEMA.field(place), pa.array(column, CLIPS_SCHEMA.field(place).type)
    )
    write_table(table, folder / CLIPS_FILE)
    write_mapped(table, folder, json.loads((folder / "dataset.json").read_text()))


def first_shard(folder: Path) -> Path:
    return min((folder / SHARDS_FOLDER).iterdir())


def says(folder: Path) -> str:
    """What reading everything of the first clip says."""
    with pytest.raises(DatasetError) as raised:
        read_all(folder)
    return str(raised.value)


def read_all(folder: Path) -> None:
    with PreparedDataset.open(folder) as clips:
        clips.read_frame(0, 0)
        clips.read_log_mel_rows(0, start=0, stop=clips.num_spectrogram_frames(0))
        clips.read_waveform(0)


@pytest.mark.parametrize(
    "name", ["../../secret.tar", "/etc/hostname", "", ".", "..", "a\0b", "a/../b", "./x"]
)
def test_the_name_of_a_shard_is_no_path(copy: Path, name: str):
    (copy.parent / "secret.tar").write_bytes(bytes(512))
    change_record(copy, lambda record: record["shards"][0].update(name=name, num_bytes=512))
    assert f"{name!r} is not the name of a file" in says(copy)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/hostname", ".."])
def test_a_clip_cannot_name_a_file_elsewhere(copy: Path, name: str):
    (copy.parent / "secret.jpg").write_bytes(bytes(9000))
    change_clips(copy, "shard", name)
    assert f"{name!r} is not the name of a file" in says(copy)
    assert any("is not the name of a file" in problem for problem in PreparedDataset.open(copy).check())


def test_a_pipe_a_folder_and_a_device_are_no_shards(copy: Path):
    shard = first_shard(copy)
    shard.rename(copy / "aside")
    os.mkfifo(shard)
    assert "is not a regular file" in says(copy)
    shard.unlink()
    shard.mkdir()
    assert "is not a regular file" in says(copy)
    shard.rmdir()
    shard.symlink_to("/dev/zero")
    assert "leads out of" in says(copy)


def test_a_clip_cannot_name_a_pipe(copy: Path):
    os.mkfifo(copy / SHARDS_FOLDER / "pipe.tar")
    change_clips(copy, "shard", "pipe.tar")
    assert "pipe.tar is not a regular file" in says(copy)


def test_links_may_lead_to_a_file_beside_them_and_nowhere_else(copy: Path):
    shard = first_shard(copy)
    shard.rename(shard.with_name("real.tar"))
    shard.symlink_to("real.tar")
    assert PreparedDataset.open(copy).read_frame(0, 0).shape == (32, 32, 3)
    shard.with_name("real.tar").rename(copy.parent / "out.tar")
    shard.unlink()
    shard.symlink_to(copy.parent / "out.tar")
    assert "is a link that leads out of" in says(copy)


def test_the_folder_itself_may_be_a_link_but_not_its_shards(copy: Path):
    (copy.parent / "link").symlink_to(copy)
    assert len(PreparedDataset.open(copy.parent / "link")) == 14
    (copy / SHARDS_FOLDER).rename(copy.parent / "elsewhere")
    (copy / SHARDS_FOLDER).symlink_to(copy.parent / "elsewhere")
    assert "is a link that leads out of" in says(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frame_lengths", [10**12, 1, 1, 1]),
        ("frame_lengths", [-1, 1, 1, 1]),
        ("frame_offsets", [10**15, 0, 0, 0]),
        ("frame_offsets", [-5, 0, 0, 0]),
        ("frame_offsets", [2**63 - 1, 0, 0, 0]),
        ("sound_length", 10**12),
        ("sound_length", -1),
        ("sound_offset", 10**12),
        ("log_mel_offset", -(10**9)),
        ("log_mel_length", 10**12),
        ("num_spectrogram_frames", 10**12),
        ("num_spectrogram_frames", 10**6),
    ],
)
def test_places_outside_of_a_shard_are_refused_before_memory_is_taken(copy: Path, name: str, value: Any):
    change_clips(copy, name, value)
    assert "but the table of clips points to" in says(copy)


@pytest.mark.parametrize("value", [[1, 1, 1], [1] * 5, []])
def test_every_clip_has_all_frames(copy: Path, value: list[int]):
    change_clips(copy, "frame_lengths", value)
    assert "clips.parquet, frame_lengths: not every clip has 4 frames" in says(copy)


def test_places_that_hold_something_else_are_told_with_their_clip(copy: Path):
    change_clips(copy, "frame_offsets", [0, 0, 0, 0])
    assert "shard-000000-00.tar, clip train-0-000000, frame 0: it is no JPEG" in says(copy)


def test_a_picture_that_unpacks_to_gigabytes_is_refused(copy: Path, tmp_path: Path):
    Image.new("L", (16000, 16000)).save(tmp_path / "large.jpg", quality=1)
    content = (tmp_path / "large.jpg").read_bytes()
    (copy / SHARDS_FOLDER / "bomb.tar").write_bytes(content)
    change_clips(copy, "frame_offsets", [0] * 4)
    change_clips(copy, "frame_lengths", [len(content)] * 4)
    change_clips(copy, "shard", "bomb.tar")
    assert "clip train-0-000000, frame 0: not readable as JPEG: Image size (256000000 pixels)" in says(copy)
    Image.new("L", (6000, 6000)).save(tmp_path / "large.jpg", quality=1)
    content = (tmp_path / "large.jpg").read_bytes()
    (copy / SHARDS_FOLDER / "bomb.tar").write_bytes(content)
    change_clips(copy, "frame_lengths", [len(content)] * 4)
    assert "6000 x 6000 pixels are more than" in says(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("shards"), "shards: Field required"),
        (lambda r: r.update(shards={}), "shards: Input should be a valid list"),
        (lambda r: r.update(shards=[7]), r"shards.0: Input should be a valid dictionary"),
        (lambda r: r["shards"][0].pop("num_bytes"), "shards.0.num_bytes: Field required"),
        (lambda r: r["shards"][0].update(num_bytes="7"), "shards.0.num_bytes: Input should be a valid int"),
        (lambda r: r["shards"][0].update(num_bytes=-1), "shards.0.num_bytes: Input should be greater"),
        (lambda r: r["shards"][0].update(sha256="x"), "shards.0.sha256: String should match"),
        (lambda r: r["shards"][0].update(name=None), "shards.0.name: Input should be a valid string"),
        (lambda r: r.pop("counts"), "counts: Field required"),
        (lambda r: r.update(counts=[]), "counts: Input should be"),
        (lambda r: r["counts"].update(num_clips=1.5), "counts.num_clips: Input should be a valid int"),
        (lambda r: r["counts"].update(num_clips=10**30), "14 clips, but dataset.json says"),
        (lambda r: r.pop("plan"), "plan: Field required"),
        (lambda r: r["plan"].pop("config"), "plan.config: Field required"),
        (lambda r: r["plan"]["config"].update(num_frames=0), "plan.config is not what it should be: num_fr"),
        (lambda r: r["plan"]["config"].update(num_frames=10**18), "frame_offsets: not every clip has"),
        (lambda r: r["plan"]["config"].update(unknown=1), "plan.config is not what it should be: unknown"),
        (lambda r: r.update(list_sha256=None), "list_sha256: Input should be a valid string"),
        (lambda r: r.update(schema_version="1" * 10**6), "has schema version '1111"),
        (lambda r: r.update(schema_version=[[[[]]]]), "has schema version"),
    ],
)
def test_a_record_with_a_wrong_field_names_it(copy: Path, change: Callable[[Any], object], message: str):
    change_record(copy, change)
    assert message in (said := says(copy))
    assert str(copy) in said
    assert "dataset.json" in said
    assert len(said) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"plan": ' + b"[" * 500 + b"]" * 500 + b"}",
        b"\xff\xfe",
        b"",
        b"null",
        b"1" * 10_000,
        b'{"schema_version": 1e999}',
        b"{" + b'"\\ud800": 1}',
    ],
)
def test_what_is_no_record_says_so(copy: Path, content: bytes):
    (copy / "dataset.json").write_bytes(content)
    assert str(copy / "dataset.json") in (said := says(copy))
    assert len(said) < 500


def test_one_flipped_bit_in_the_table_names_file_and_column(copy: Path):
    (copy / MAPPED_FILE).unlink()
    path = copy / CLIPS_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    assert str(path) in (said := says(copy))
    assert ", column " in said


def test_gaps_in_the_table_are_named(copy: Path):
    table = read_table(copy / CLIPS_FILE, CLIPS_SCHEMA)
    with_gap = table.set_column(
        0, pa.field("id", pa.string()), pa.array([None, *table["id"].to_pylist()[1:]])
    )
    (copy / MAPPED_FILE).unlink()
    write_table(with_gap, copy / CLIPS_FILE)
    assert "clips.parquet, column id" in says(copy)


def read_each(folder: Path) -> None:
    with (folder / "said.txt").open("w") as said:
        for changed in sorted(folder.glob("changed-*")):
            said.write(f"{changed.name}\n")
            said.flush()
            changed.replace(folder / MAPPED_FILE)
            try:
                clips = PreparedDataset.open(folder)
                for index in range(len(clips)):
                    clips.row(index)
                _ = clips.labels, clips.list_sha256
            except Exception as error:  # noqa: BLE001 -- any is right; a dead process is not
                said.write(f"{error}\n")


def test_a_mapped_table_that_leads_elsewhere_is_not_used(copy: Path):
    """Offsets far outside used to end the process; some places in the file are tried with a large number."""
    content = (copy / MAPPED_FILE).read_bytes()
    numbers = np.frombuffer(content[: len(content) // 4 * 4], dtype="<i4")
    places = np.flatnonzero((numbers > 0) & (numbers < 1000))
    rng = np.random.default_rng(0)
    for place in rng.choice(places, size=30, replace=False):
        changed = numbers.copy()
        changed[place] = 2**30
        (copy / f"changed-{place}").write_bytes(changed.tobytes() + content[len(numbers) * 4 :])
    run_apart(read_each, copy)
    assert (copy / "said.txt").read_text().count("changed-") == 30


def test_checking_notices_that_the_mapped_table_says_something_else(copy: Path):
    assert PreparedDataset.open(copy).check() == ()
    table = read_table(copy / CLIPS_FILE, CLIPS_SCHEMA)
    place = CLIPS_SCHEMA.get_field_index("is_silent")
    other = table.set_column(place, CLIPS_SCHEMA.field(place), pa.array([True] * len(table)))
    write_mapped(other, copy, json.loads((copy / "dataset.json").read_text()))
    assert PreparedDataset.open(copy).check() == ("clips.arrow differs from clips.parquet",)

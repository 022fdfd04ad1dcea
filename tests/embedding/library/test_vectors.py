"""Vectors that any encoder made, in a library with their media."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cavmae_sync.embedding.library import add_vectors, open_library, update_library
from cavmae_sync.errors import ConfigError, DatasetError, TooManyRejectedError
from cavmae_sync.search import LibrarySearch, Moment, SearchOptions, vectors_query

WIDTH = 6
NAMES = ("a.wav", "deep/b.mp4", "c.mp4")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "deep").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(name.encode() * 100)
    return folder


def columns(*, moments: int = 1, hop: float = 3.0, seconds: float = 3.0, clips: int = 4) -> dict:
    """Clips of the first two files; the last of each is shorter."""
    generator = np.random.default_rng(0)
    starts = np.concatenate([np.arange(clips) * hop] * 2)
    stops = starts + seconds
    stops[clips - 1 :: clips] -= 1.0
    return {
        "audio": generator.normal(size=(2 * clips, moments, WIDTH)).astype(np.float32) * 5,
        "source": np.array([NAMES[0]] * clips + [NAMES[1]] * clips),
        "start_seconds": starts,
        "stop_seconds": stops,
        "name": np.array("birdnet"),
    }


def written(path: Path, given: dict) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **given)
        return path
    table = {name: value for name, value in given.items() if name != "name"}
    table |= {name: pa.array(table[name].tolist()) for name in ("audio", "visual") if name in table}
    made = pa.table(table).replace_schema_metadata({"cavmae_sync": '{"name": "birdnet"}'})
    pq.write_table(made, path)
    return path


@pytest.mark.parametrize("name", ["v.npz", "v.parquet"])
@pytest.mark.parametrize("moments", [1, 3])
def test_they_are_in_a_library_with_their_media(media: Path, tmp_path: Path, name: str, moments: int):
    given = columns(moments=moments)
    run = add_vectors(written(tmp_path / name, given), media, out=tmp_path / "l")
    assert (run.report.num_clips, run.report.num_files, run.report.num_failed) == (8, 2, 1)
    assert run.report.failed_by_reason == {"no_vectors": 1}
    library = open_library(tmp_path / "l")
    assert library.record.encoder.kind == "birdnet"
    assert (library.config.clip_seconds, library.config.num_frames) == (3.0, moments)
    part = library.part(hashlib.sha256((media / NAMES[1]).read_bytes()).hexdigest())
    assert part.facts["start_seconds"].to_pylist() == [0, 3, 6, 9]
    assert part.facts["is_short"].to_pylist() == [False] * 3 + [True]
    expected = given["audio"][4:].reshape(-1, WIDTH)
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(part.vectors("audio"), expected, atol=1e-3)
    assert part.vectors("visual") is None


def test_moments_like_others_and_vectors_find_them(media: Path, tmp_path: Path):
    given = columns()
    add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")
    library = open_library(tmp_path / "l")
    search = LibrarySearch(library)
    np.savez(tmp_path / "q.npz", audio=given["audio"][5:7], name=np.array("birdnet"))
    hit = search.search(vectors_query(library.record, tmp_path / "q.npz")).hits[0]
    assert (hit.file.path, hit.picture) == (NAMES[1], None)
    assert hit.offset_seconds == pytest.approx(3.0, abs=0.5)  # refined between windows of 3 s
    assert hit.sound == pytest.approx(1.0, abs=1e-3)
    moment = Moment(content=hit.content, start_seconds=3.0, stop_seconds=6.0)
    found = search.search(search.moment(moment), SearchOptions(without=moment))
    assert all(other.offset_seconds != 3.0 or other.content != hit.content for other in found.hits)


def test_windows_that_overlap_have_their_hop_as_step(media: Path, tmp_path: Path):
    add_vectors(written(tmp_path / "v.npz", columns(hop=1.5)), media, out=tmp_path / "l")
    library = open_library(tmp_path / "l")
    assert (library.config.hop_seconds, library.config.step_seconds) == (1.5, 1.5)
    timelines = LibrarySearch(library).timelines
    assert timelines.count_C.tolist() == [4, 4]
    assert timelines.present("audio").all()


def test_senses_of_two_spaces_do_not_compare(media: Path, tmp_path: Path):
    given = columns()
    given["visual"] = given["audio"][::-1].copy()
    given |= {"audio_space": np.array("clap"), "visual_space": np.array("clip")}
    add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")
    library = open_library(tmp_path / "l")
    np.savez(tmp_path / "q.npz", audio=given["audio"][5:6], name=np.array("birdnet"))
    query, search = vectors_query(library.record, tmp_path / "q.npz"), LibrarySearch(library)
    found = search.search(query)
    assert (found.by, {hit.picture for hit in found.hits}) == ("sound", {None})
    assert search.search(query, SearchOptions(by="both")).by == "sound"
    with pytest.raises(ConfigError, match="has a picture to compare with"):
        search.search(query, SearchOptions(by="picture"))


def test_nothing_is_encoded_twice_and_media_may_move(media: Path, tmp_path: Path):
    vectors = written(tmp_path / "v.npz", columns())
    add_vectors(vectors, media, out=tmp_path / "l")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "l" / "parts").rglob("*.arrow")}
    (media / NAMES[0]).rename(media / "moved.wav")
    given = columns()
    given["source"] = np.array(["moved.wav"] * 4 + [NAMES[1]] * 4)
    add_vectors(written(tmp_path / "v2.npz", given), media, out=tmp_path / "l")
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "l" / "parts").rglob("*.arrow")}
    assert before == after
    paths = {row.path for row in open_library(tmp_path / "l").files()}
    assert {"moved.wav", NAMES[1]} <= paths


def test_others_are_refused_field_by_field(media: Path, tmp_path: Path, embedder):
    add_vectors(written(tmp_path / "v.npz", columns()), media, out=tmp_path / "l")
    given = columns() | {"name": np.array("perch")}
    with pytest.raises(ConfigError, match=r"encoder.*birdnet.*perch"):
        add_vectors(written(tmp_path / "o.npz", given), media, out=tmp_path / "l")
    with pytest.raises(ConfigError, match="encoder"):
        update_library(embedder, tmp_path / "l")
    np.savez(tmp_path / "q.npz", audio=given["audio"], name=np.array("perch"))
    with pytest.raises(ConfigError, match="encoder 'perch', not 'birdnet'"):
        vectors_query(open_library(tmp_path / "l").record, tmp_path / "q.npz")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_bad_vectors_cost_their_file_alone(media: Path, tmp_path: Path, bad: float):
    given = columns()
    given["audio"][2] = bad
    run = add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")
    assert run.report.failed_by_reason == {"bad_vectors": 1, "no_vectors": 1}
    assert [row.path for row in open_library(tmp_path / "l").files()] == [NAMES[1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "which encoder"),
        ({"audio": None}, "neither audio nor visual"),
        ({"source": None}, "needs source"),
        ({"start_seconds": np.arange(3.0)}, "3 values of start_seconds for 8 clips"),
        ({"start_seconds": np.full(8, np.nan)}, "one number per clip"),
        ({"start_seconds": np.full(8, -1.0)}, "begin at 0 or later"),
        ({"stop_seconds": np.zeros(8)}, "end after they begin"),
        ({"source": np.array([f"elsewhere{n}.wav" for n in range(8)])}, "names no file of"),
        ({"source": np.array(["../" * n + "etc/passwd" for n in range(8)])}, "names no file of"),
        ({"visual": np.ones((8, 2, WIDTH), np.float32)}, "must have one shape"),
        ({"audio": np.ones((8, WIDTH), np.int64)}, "floating-point"),
        ({"what": np.ones(8)}, "unknown: what"),
        ({"audio": np.ones((8, 70_000), np.float32)}, "are too wide"),
    ],
)
def test_files_that_cannot_be_used_say_why(media: Path, tmp_path: Path, change: dict, message: str):
    given = {name: value for name, value in (columns() | change).items() if value is not None}
    with pytest.raises(DatasetError, match=message):
        add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")


def test_gaps_do_not_make_the_step_longer(media: Path, tmp_path: Path):
    given = columns(clips=7)
    given["start_seconds"] = np.array([0, 3, 6, 60, 120, 180, 240.0] * 2)
    given["stop_seconds"] = given["start_seconds"] + 3
    add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")
    library = open_library(tmp_path / "l")
    assert library.config.step_seconds == 3.0
    assert LibrarySearch(library).timelines.present("audio").sum() == 14


def test_a_library_keeps_its_lengths_where_later_clips_fit(media: Path, tmp_path: Path):
    add_vectors(written(tmp_path / "v.npz", columns(hop=1.0)), media, out=tmp_path / "l")
    (media / "short.wav").write_bytes(b"short")
    one = {name: value[:1] for name, value in columns().items() if name != "name"}
    one |= {"name": np.array("birdnet"), "source": np.array(["short.wav"]), "stop_seconds": np.array([2.0])}
    run = add_vectors(written(tmp_path / "one.npz", one), media / "short.wav", out=tmp_path / "l")
    assert run.report.num_clips == 9


def test_clips_at_one_time_cost_their_file(media: Path, tmp_path: Path):
    given = columns()
    given["start_seconds"][1], given["stop_seconds"][1] = 0.1, 3.1
    run = add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")
    assert run.report.failed_by_reason == {"bad_times": 1, "no_vectors": 1}


def test_a_wrong_folder_leaves_nothing(media: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.wav").write_bytes(b"x")
    with pytest.raises(DatasetError, match="names no file"):
        add_vectors(written(tmp_path / "v.npz", columns()), tmp_path / "empty", out=tmp_path / "l")
    assert not (tmp_path / "l").exists()


def test_nothing_but_bad_vectors_is_an_error(media: Path, tmp_path: Path):
    given = columns()
    given["audio"][:] = np.nan
    with pytest.raises(TooManyRejectedError, match="bad_vectors"):
        add_vectors(written(tmp_path / "v.npz", given), media, out=tmp_path / "l")

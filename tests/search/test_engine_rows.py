"""Rows for engines of others: a plain scan of them, ranked here, finds what the search finds."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import ConfigError
from cavmae_sync.search import LibrarySearch, Query
from cavmae_sync.search.engine_rows import engine_questions, export_engine_rows

from .made import CONFIG, content_of, make_library, wander

WIDTH = 32


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    contents = {
        f"{n}.mp4": (wander(24, WIDTH, seed=2 * n), wander(24, WIDTH, seed=2 * n + 1)) for n in range(30)
    }
    contents["mute.mp4"] = (None, wander(10, WIDTH, seed=99))
    return make_library(tmp_path_factory.mktemp("rows") / "library", contents, silent={"3.mp4": {1}})


def query_of(number: int, start: int, stop: int) -> Query:
    rows = wander(24, WIDTH, seed=2 * number)[start:stop]
    length = (stop - start) * CONFIG.step_seconds
    return Query(
        rows={"audio": rows}, step_seconds=0.5, first_seconds=0.25, duration_seconds=length, about="a test"
    )


@pytest.mark.parametrize(("kind", "start", "stop"), [("moments", 5, 7), ("windows", 6, 18)])
def test_an_engine_proposes_and_the_search_ranks(
    library: Library, tmp_path: Path, kind: str, start: int, stop: int
):
    count = export_engine_rows(library, tmp_path / "rows.parquet", kind)
    rows = pq.read_table(tmp_path / "rows.parquet")
    assert len(rows) == count == len(set(rows["id"].to_pylist()))
    query = query_of(7, start, stop)
    candidates = []
    vectors = np.array(rows["vector"].to_pylist())
    for time, vector in engine_questions(query, "audio", kind):
        scores = np.where([sense == "audio" for sense in rows["sense"].to_pylist()], vectors @ vector, -1)
        for best in np.argsort(-scores)[:20].tolist():
            at = rows["start_seconds"][best].as_py() - time
            candidates.append((rows["content"][best].as_py(), at))
    search = LibrarySearch(library)
    ranked, whole = search.rank(query, candidates), search.search(query)
    assert ranked.hits[0].content == whole.hits[0].content == content_of("7.mp4")
    assert ranked.hits[0].offset_seconds == pytest.approx(start * 0.5, abs=0.1)
    assert ranked.hits[0].score == pytest.approx(whole.hits[0].score)


def test_rows_say_where_they_are(library: Library, tmp_path: Path):
    export_engine_rows(library, tmp_path / "rows.parquet", "moments")
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    mine = [row for row in rows if row["source"] == "3.mp4" and row["sense"] == "audio"]
    # Moments 4 to 7 are silent.
    assert [row["start_seconds"] for row in mine] == [n * 0.5 for n in range(24) if not 4 <= n < 8]
    assert {row["stop_seconds"] - row["start_seconds"] for row in mine} == {0.5}
    assert {row["sense"] for row in rows if row["source"] == "mute.mp4"} == {"visual"}


def test_windows_reach_the_end_and_not_beyond(library: Library, tmp_path: Path):
    export_engine_rows(library, tmp_path / "rows.parquet", "windows")
    rows = [
        row for row in pq.read_table(tmp_path / "rows.parquet").to_pylist() if row["source"] == "mute.mp4"
    ]
    assert [(row["start_seconds"], row["stop_seconds"]) for row in rows] == [(0, 2), (1, 3), (2, 4), (3, 5)]


def test_short_questions_need_moments(library: Library):
    with pytest.raises(ConfigError, match="Ask rows of moments"):
        engine_questions(query_of(1, 0, 3), "audio", "windows")


def test_lance_that_is_missing_is_said(library: Library, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lance", None)
    with pytest.raises(ConfigError, match="pip install pylance"):
        export_engine_rows(library, tmp_path / "rows.lance", "moments")

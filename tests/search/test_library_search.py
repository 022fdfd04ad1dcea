"""Search over made-up libraries whose truth is known."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.embedding.library import Catalogue, Library, remove_files
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.search import Filter, LibrarySearch, Moment, Query, SearchOptions, verdict
from cavmae_sync.search.calibration import Calibration

from .made import CONFIG, content_of, make_library, unit, wander

WIDTH = 32


def film(seed: int, length: int = 24) -> tuple[np.ndarray, np.ndarray]:
    return wander(length, WIDTH, seed=2 * seed), wander(length, WIDTH, seed=2 * seed + 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    contents = {f"day {n % 2}/{n:03d}.mp4": film(n) for n in range(60)}
    contents["day 0/mute.mp4"] = (None, film(100)[1])
    contents["day 1/sound.wav"] = (film(101)[0], None)
    folder = tmp_path_factory.mktemp("search") / "library"
    return make_library(folder, contents, copies={"copies/007.mov": "day 1/007.mp4"})


@pytest.fixture(scope="module")
def search(library: Library) -> LibrarySearch:
    return LibrarySearch(library)


def excerpt(
    rows: dict[str, np.ndarray], start: int, stop: int, *, noise: float = 0.0, seed: int = 0
) -> Query:
    """Rows as a query, heard and seen a little otherwise."""
    generator = np.random.default_rng(seed)
    cut = {
        sense: unit(each[start:stop] + noise * generator.normal(size=each[start:stop].shape))
        for sense, each in rows.items()
    }
    length = (stop - start) * CONFIG.step_seconds
    return Query(rows=cut, step_seconds=0.5, first_seconds=0.25, duration_seconds=length, about="a test")


@pytest.mark.parametrize("coarse", [None, "exact"])
@pytest.mark.parametrize("length", [1, 3, 12])
@pytest.mark.parametrize("senses", [("audio",), ("visual",), ("audio", "visual")])
def test_a_moment_is_found_where_it_is(library, senses, length, coarse, monkeypatch):
    if coarse is not None:  # as in a library that is too large to be looked at in full
        monkeypatch.setattr("cavmae_sync.search.scoring._SCAN_UP_TO", 0)
    searched = LibrarySearch(library, coarse=coarse)
    for number in (3, 7, 44):
        audio, visual = film(number)
        rows = {"audio": audio, "visual": visual}
        query = excerpt({sense: rows[sense] for sense in senses}, 5, 5 + length, noise=0.02, seed=number)
        by = "both" if len(senses) == 2 else "sound" if senses == ("audio",) else "picture"
        found = searched.search(query, SearchOptions(by=by))
        hit = found.hits[0]
        assert hit.file.path == f"day {number % 2}/{number:03d}.mp4" or len(hit.places) == 2
        assert hit.offset_seconds == pytest.approx(2.5, abs=0.3)
        assert hit.stop_seconds - hit.start_seconds == pytest.approx(length * 0.5)
        assert found.is_exact == (coarse is None)
        assert hit.probability is not None
        assert hit.probability > 0.95
        assert found.matches is not None
        assert found.matches >= 1


def test_what_is_not_there_is_a_no(search: LibrarySearch):
    """The share of strangers that get a match is the stated one, 5 %, give or take chance."""
    for length in (1, 4):
        accepted = 0
        for seed in range(300):
            audio, visual = film(1000 + seed)
            query = excerpt({"audio": audio, "visual": visual}, 3, 3 + length)
            accepted += (search.search(query, SearchOptions(num_hits=1)).matches or 0) > 0
        assert 0 < accepted < 36, length  # 15 expected, standard deviation 3.8
    assert "Nothing here matches (62 files" in verdict(search.search(query, SearchOptions(cutoff=0.9999)))


def test_both_axes_are_told_apart(library: Library, search: LibrarySearch):
    """The same sound with another picture."""
    audio, _ = film(3)
    _, other = film(2000)
    found = search.search(excerpt({"audio": audio, "visual": other}, 5, 9), SearchOptions(by="sound"))
    hit = found.hits[0]
    assert hit.file.path == "day 1/003.mp4"
    assert hit.sound == pytest.approx(1, abs=1e-3)
    assert hit.picture is not None
    assert hit.picture < 0.9


def test_files_with_one_sense_are_found_by_it(search: LibrarySearch):
    mute, sound = film(100)[1], film(101)[0]
    hit = search.search(excerpt({"visual": mute}, 4, 8)).hits[0]
    assert (hit.file.path, hit.sound) == ("day 0/mute.mp4", None)
    hit = search.search(excerpt({"audio": sound}, 4, 8)).hits[0]
    assert (hit.file.path, hit.picture) == ("day 1/sound.wav", None)
    only = SearchOptions(filter=Filter(senses=("audio", "visual")))
    assert search.search(excerpt({"visual": mute}, 4, 8), only).hits[0].file.path != "day 0/mute.mp4"


def test_a_moment_of_the_library_finds_others_and_not_itself(library: Library, search: LibrarySearch):
    moment = Moment(content=content_of("day 1/007.mp4"), start_seconds=2.0, stop_seconds=4.0)
    query = search.moment(moment)
    assert len(query) == 4
    assert search.search(query).hits[0].content == moment.content
    other = search.search(query, SearchOptions(without=moment)).hits[0]
    assert other.content != moment.content or not 0.5 < other.offset_seconds < 4.0
    with pytest.raises(ConfigError, match="has no content"):
        search.moment(Moment(content="x", start_seconds=0, stop_seconds=1))


def test_a_moment_is_found_from_its_start_to_its_end(search: LibrarySearch):
    for start, stop in ((2.0, 4.0), (2.1, 3.9), (0.0, 1.0), (11.0, 12.0), (11.0, float("inf"))):
        moment = Moment(content=content_of("day 1/007.mp4"), start_seconds=start, stop_seconds=stop)
        hit = search.search(search.moment(moment)).hits[0]
        assert hit.content == moment.content
        assert (hit.start_seconds, hit.stop_seconds) == pytest.approx((start, min(stop, 12.0)), abs=0.06)


def test_copies_are_one_hit_with_all_places(search: LibrarySearch):
    audio, visual = film(7)
    hit = search.search(excerpt({"audio": audio, "visual": visual}, 5, 9)).hits[0]
    assert [place.path for place in hit.places] == ["copies/007.mov", "day 1/007.mp4"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(folder="day 0"), {"day 0"}),
        (Filter(folder="day"), set()),
        (Filter(roots=("elsewhere",)), set()),
        (Filter(after_ns=59 * 10**9), {"day 0", "day 1"}),
        (Filter(before_ns=2 * 10**9, folder="day 0"), {"day 0"}),
        (Filter(most_seconds=1.0), set()),
    ],
)
def test_filters(search: LibrarySearch, wanted: Filter, expected: set[str]):
    audio, visual = film(8)
    found = search.search(excerpt({"audio": audio, "visual": visual}, 5, 9), SearchOptions(filter=wanted))
    assert {hit.file.path.partition("/")[0] for hit in found.hits} == expected


def test_a_query_longer_than_a_file_has_the_file_inside(search: LibrarySearch):
    audio, visual = film(5)
    around = {"audio": wander(40, WIDTH, seed=1), "visual": wander(40, WIDTH, seed=2)}
    around["audio"][10:34], around["visual"][10:34] = audio, visual
    hit = search.search(excerpt(around, 0, 40)).hits[0]
    assert hit.file.path == "day 1/005.mp4"
    assert hit.offset_seconds == pytest.approx(-5.0, abs=0.3)
    assert (hit.start_seconds, hit.stop_seconds) == (0.0, 12.0)


def test_moments_between_the_steps_are_found_by_a_phase(search: LibrarySearch):
    """The query's moments lie half a step beside those of the library; a later phase meets them."""
    audio, visual = film(9)
    beside = excerpt({"audio": wander(4, WIDTH, seed=77), "visual": wander(4, WIDTH, seed=78)}, 0, 4)
    meets = excerpt({"audio": audio, "visual": visual}, 5, 9)
    query = Query(
        rows=beside.rows, step_seconds=0.5, first_seconds=0.0, duration_seconds=2.25, about="", later=(meets,)
    )
    hit = search.search(query).hits[0]
    assert hit.file.path == "day 1/009.mp4"
    assert hit.offset_seconds == pytest.approx(2.5, abs=0.05)


def test_hits_are_grouped_by_file_best_first(search: LibrarySearch):
    audio, visual = film(7)
    found = search.search(excerpt({"audio": audio, "visual": visual}, 5, 9), SearchOptions(num_hits=30))
    groups = found.by_file()
    assert groups[0][0].path == "copies/007.mov"
    assert sum(len(hits) for _, hits in groups) == 30 > len(groups)
    assert [hits[0].score for _, hits in groups] == sorted(
        (hits[0].score for _, hits in groups), reverse=True
    )


def test_damaged_parts_are_counted(tmp_path: Path):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(3)})
    next(library.folder.rglob("*.arrow")).write_bytes(b"nothing")
    found = LibrarySearch(library).search(excerpt({"audio": film(1)[0]}, 5, 9))
    assert (found.num_contents, found.num_damaged) == (2, 1)


def test_small_libraries_rank_and_do_not_judge(tmp_path: Path):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(3)})
    audio, visual = film(2)
    found = LibrarySearch(library).search(excerpt({"audio": audio, "visual": visual}, 5, 9))
    assert (found.hits[0].file.path, found.matches, found.hits[0].probability) == ("2.mp4", None, None)
    assert verdict(found).startswith("Ranked, not judged: 3 files")


def test_an_empty_library_has_no_hits(tmp_path: Path):
    library = make_library(tmp_path / "library", {"a.mp4": film(1)})
    remove_files(library.folder, library.files())
    found = LibrarySearch(library).search(excerpt({"audio": film(1)[0]}, 5, 9))
    assert (found.hits, found.num_contents) == ((), 0)


def test_what_cannot_be_asked_is_said(tmp_path: Path):
    library = make_library(tmp_path / "library", {"a.wav": (film(1)[0], None)})
    searched = LibrarySearch(library)
    query = excerpt({"audio": film(1)[0]}, 5, 9)
    with pytest.raises(ConfigError, match="has a picture to compare with, so hits cannot"):
        searched.search(query, SearchOptions(by="picture"))
    other = Query(rows=query.rows, step_seconds=0.6, first_seconds=0, duration_seconds=2, about="")
    with pytest.raises(ConfigError, match=r"a moment every 0.6 s, the library every 0.5 s"):
        searched.search(other)


def test_what_was_added_and_removed_is_seen_after_a_refresh(tmp_path: Path):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(4)})
    searched = LibrarySearch(library)
    assert not searched.refresh()
    make_library(tmp_path / "library", {"new.mp4": film(50)})
    query = excerpt({"audio": film(50)[0]}, 5, 9)
    assert searched.search(query).hits[0].file.path != "new.mp4"
    assert searched.refresh()
    assert searched.search(query).hits[0].file.path == "new.mp4"
    remove_files(library.folder, [row for row in library.files() if row.path == "new.mp4"])
    searched.refresh()
    assert searched.search(query).hits[0].file.path != "new.mp4"
    assert searched.search(query).num_contents == 4


def test_repeats_in_a_library_do_not_hide_a_match(tmp_path: Path):
    """A third of the films are there twice, a little otherwise; a match is a match all the same."""
    generator = np.random.default_rng(0)
    contents = {f"{n}.mp4": film(n) for n in range(60)}
    for n in range(20):
        again = tuple(unit(rows + 0.02 * generator.normal(size=rows.shape)) for rows in film(n))
        contents[f"{n} again.mp4"] = (again[0], again[1])
    searched = LibrarySearch(make_library(tmp_path / "library", contents))
    audio, visual = film(3)
    found = searched.search(excerpt({"audio": audio, "visual": visual}, 5, 9, noise=0.02))
    assert found.matches is not None
    assert found.matches >= 2
    assert {hit.file.path for hit in found.hits[:2]} == {"3.mp4", "3 again.mp4"}


@pytest.mark.parametrize("coarse", ["exact", "flat", "inverted"])
def test_indexes_grow_with_the_library(tmp_path: Path, coarse, monkeypatch):
    if coarse != "exact":
        pytest.importorskip("faiss")
    monkeypatch.setattr("cavmae_sync.search.scoring._SCAN_UP_TO", 0)
    contents = {f"{n}.mp4": film(n) for n in range(30)}
    library = make_library(tmp_path / "library", contents)
    searched = LibrarySearch(library, coarse=coarse)
    query = excerpt({"audio": film(33)[0]}, 5, 8)
    assert searched.search(query).hits[0].file.path != "33.mp4"
    make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(30, 36)})
    searched.refresh()
    found = searched.search(query)
    assert (found.hits[0].file.path, found.is_exact) == ("33.mp4", False)
    assert searched.search(excerpt({"audio": film(3)[0]}, 5, 8)).hits[0].file.path == "3.mp4"
    again = LibrarySearch(library, coarse=coarse).search(query)
    assert [hit.offset_seconds for hit in again.hits] == [hit.offset_seconds for hit in found.hits]


@pytest.mark.parametrize("damage", [b"", b"nothing", None])
def test_cells_and_scales_are_kept_and_made_again(tmp_path: Path, damage, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("cavmae_sync.search.scoring._SCAN_UP_TO", 0)
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(40)})
    query = excerpt({"visual": film(7)[1]}, 5, 9)
    first = LibrarySearch(library, coarse="inverted").search(query)
    kept = sorted((library.folder / "derived" / "search").glob("*.cells"))
    kept.append(library.folder / "derived" / "search" / "scales.json")
    assert [path.name for path in kept] == ["visual-short.cells", "scales.json"]
    for path in kept:
        if damage is not None:
            path.write_bytes(damage)
    asked = []
    again = LibrarySearch(library, coarse="inverted").search(query, on_progress=lambda *at: asked.append(at))
    assert (damage is None) == (asked == [])  # strangers are asked once
    assert [(hit.content, hit.probability) for hit in again.hits] == [
        (hit.content, hit.probability) for hit in first.hits
    ]


@pytest.mark.parametrize(
    "scale",
    [
        {"axes": {}, "calibration": None, "num_places": 960, "num_held": 40},
        {"axes": {"visual": [0, 0]}, "calibration": None, "num_places": 960, "num_held": 40},
        {"axes": {"visual": [0, 1]}, "calibration": [0, -1], "num_places": 960, "num_held": 40},
        {"axes": {"visual": [0, "NaN"]}, "calibration": [0, 1], "num_places": 960, "num_held": 40},
        [1],
    ],
)
def test_scales_of_strangers_are_not_believed(tmp_path: Path, scale):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(40)})
    query = excerpt({"visual": film(7)[1]}, 5, 9)
    first = LibrarySearch(library).search(query)
    path = library.folder / "derived" / "search" / "scales.json"
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), scale)))
    again = LibrarySearch(library).search(query)
    assert [hit.probability for hit in again.hits] == [hit.probability for hit in first.hits]


def test_candidates_of_another_engine_are_ranked_here(search: LibrarySearch):
    audio, visual = film(7)
    query = excerpt({"audio": audio, "visual": visual}, 5, 9)
    whole = search.search(query)
    right, other = content_of("day 1/007.mp4"), content_of("day 0/008.mp4")
    found = search.rank(query, [(other, 3.0), (right, 2.9), ("0" * 64, 1.0)])
    assert [hit.content for hit in found.hits[:1]] == [right]
    assert found.hits[0].offset_seconds == pytest.approx(2.5, abs=0.1)
    assert found.hits[0].score == pytest.approx(whole.hits[0].score)
    assert found.hits[0].probability == pytest.approx(whole.hits[0].probability)
    assert not found.is_exact
    assert search.rank(query, []).hits == ()


def test_a_refresh_that_fails_is_made_again(tmp_path: Path, monkeypatch):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(4)})
    searched = LibrarySearch(library)
    make_library(tmp_path / "library", {"new.mp4": film(50)})
    query = excerpt({"audio": film(50)[0]}, 5, 9)

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("cavmae_sync.search.library_search.derive_timelines", full)
        with pytest.raises(OSError, match="no space"):
            searched.refresh()
        assert searched.search(query).hits[0].file.path != "new.mp4"
    assert searched.refresh()
    assert searched.search(query).hits[0].file.path == "new.mp4"


def test_timelines_that_are_made_again_in_another_order_get_other_indexes(tmp_path: Path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("cavmae_sync.search.scoring._SCAN_UP_TO", 0)
    contents = {f"{n}.mp4": film(n) for n in range(30)}
    library = make_library(tmp_path / "library", contents)
    searched = LibrarySearch(library, coarse="inverted")
    query = excerpt({"audio": film(29)[0]}, 5, 8)
    assert searched.search(query).hits[0].file.path == "29.mp4"
    remove_files(library.folder, [row for row in library.files() if row.path == "0.mp4"])
    shutil.rmtree(library.folder / "derived")
    make_library(tmp_path / "library", {"new.mp4": film(50)})
    assert searched.refresh()
    hit = searched.search(query).hits[0]
    assert (hit.file.path, hit.sound) == ("29.mp4", pytest.approx(1, abs=1e-3))


def test_gone_files_cannot_be_asked_for(tmp_path: Path):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(3)})
    with Catalogue(library.folder, is_writable=True) as catalogue:
        catalogue.put_files([replace(row, state="gone") for row in library.files() if row.path == "0.mp4"])
    moment = Moment(content=content_of("0.mp4"), start_seconds=1, stop_seconds=2)
    with pytest.raises(ConfigError, match="has no content"):
        LibrarySearch(library).moment(moment)


def test_a_question_with_both_senses_is_judged_where_the_library_has_one(tmp_path: Path):
    contents = {f"{n}.wav": (film(n)[0], None) for n in range(30)}
    library = make_library(tmp_path / "library", contents)
    audio, visual = film(3)
    found = LibrarySearch(library).search(excerpt({"visual": visual, "audio": audio}, 5, 9))
    assert (found.by, found.hits[0].file.path) == ("sound", "3.wav")
    assert found.matches


def test_numbers_that_are_not_finite_are_damage(tmp_path: Path):
    library = make_library(tmp_path / "library", {f"{n}.mp4": film(n) for n in range(3)})
    LibrarySearch(library)
    path = library.folder / "derived" / "search" / "audio.f16"
    rows = np.fromfile(path, np.float16)
    rows[5] = np.inf
    rows.tofile(path)
    with pytest.raises(DatasetError, match="Delete the folder"):
        LibrarySearch(library).search(excerpt({"audio": film(1)[0]}, 5, 9))


def test_calibration_needs_enough_and_varied_scores():
    assert Calibration.of(np.full(200, 0.5)) is None
    assert Calibration.of(np.array([0.1, 0.2, np.nan, -np.inf])) is None

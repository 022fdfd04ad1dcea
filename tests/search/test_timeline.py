"""Timelines: moments at equal steps, added to and read from the disk."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.search.contents import HeldContents
from cavmae_sync.search.derive import derive_timelines
from cavmae_sync.search.timeline import Timelines, extend_timelines, grid_of
from cavmae_sync.search.windows import places_as_windows, query_windows, windows_of

from .made import CONFIG, content_of, make_library, wander


def test_moments_at_equal_steps_stay_as_they_are(tmp_path: Path):
    audio, visual = wander(11, 8, seed=1), wander(11, 8, seed=2)
    library = make_library(tmp_path / "library", {"a.mp4": (audio, visual)})
    grid = grid_of(library.part(content_of("a.mp4")), step_seconds=0.5, width=8)
    np.testing.assert_allclose(grid.rows["audio"], audio, atol=1e-3)
    np.testing.assert_allclose(grid.rows["visual"], visual, atol=1e-3)
    assert (grid.start_seconds, grid.stop_seconds) == (0.25, 5.5)


def test_silent_and_missing_moments_are_absent(tmp_path: Path):
    audio, visual = wander(8, 8, seed=1), wander(8, 8, seed=2)
    contents = {"a.mp4": (audio, visual), "b.wav": (audio, None)}
    library = make_library(tmp_path / "library", contents, silent={"a.mp4": {1}})
    grid = grid_of(library.part(content_of("a.mp4")), step_seconds=0.5, width=8)
    assert (grid.rows["audio"] != 0).any(axis=1).tolist() == [True] * 4 + [False] * 4
    assert (grid.rows["visual"] != 0).any(axis=1).all()
    assert not grid_of(library.part(content_of("b.wav")), step_seconds=0.5, width=8).rows["visual"].any()


def test_other_moments_go_to_the_nearest_place(tmp_path: Path):
    """A library of version 1: moments from the first to the last frame, so that borders come twice."""
    config = CONFIG.model_copy(update={"sampling": "uniform_start", "num_frames": 5})
    rows = wander(10, 8, seed=3)
    library = make_library(tmp_path / "library", {"a.mp4": (rows, rows)}, config=config)
    part = library.part(content_of("a.mp4"))
    np.testing.assert_allclose(part.moment_seconds, np.arange(10) * 0.4)
    grid = grid_of(part, step_seconds=0.5, width=8)
    # Places at 0, 0.5, ... 3.5: moments at 0, 0.4, 0.8 or 1.2, 1.6, 2.0, 2.4, 2.8 or 3.2, 3.6.
    nearest = [0, 1, None, 4, 5, 6, None, 9]
    for place, moment in enumerate(nearest):
        if moment is not None:
            np.testing.assert_allclose(grid.rows["audio"][place], rows[moment], atol=1e-3)


def test_they_grow_and_a_kill_between_leaves_them_as_they_were(tmp_path: Path):
    how = {"width": 8, "step_seconds": 0.5}
    library = make_library(
        tmp_path / "l", {"a": (wander(6, 8, seed=1), None), "b": (wander(3, 8, seed=2), None)}
    )
    grids = {name: grid_of(library.part(content_of(name)), **how) for name in "ab"}
    folder = tmp_path / "derived"
    extend_timelines(folder, iter([(content_of("a"), grids["a"])]), **how)
    with (folder / "audio.f16").open("ab") as file:
        file.write(bytes(100))  # rows of a process that was killed before it wrote the table
    extend_timelines(folder, iter([(content_of("b"), grids["b"])]), **how)
    found = Timelines(folder, **how)
    assert found.contents == (content_of("a"), content_of("b"))
    np.testing.assert_array_equal(found.mapped("audio")[6:], grids["b"].rows["audio"])
    spans = found.spans("audio", np.array([0, 4]), 3)
    np.testing.assert_array_equal(spans[0], grids["a"].rows["audio"][:3])
    np.testing.assert_array_equal(spans[1], found.mapped("audio")[4:7])
    with pytest.raises(IndexError):  # past the end
        found.spans("audio", np.array([7]), 3)
    many = found.spans("audio", np.arange(40) % 6, 2)
    np.testing.assert_array_equal(many[9], found.mapped("audio")[3:5])


@pytest.mark.parametrize("damage", ["table", "rows", "order"])
def test_damaged_files_are_made_again(tmp_path: Path, damage: str):
    library = make_library(tmp_path / "library", {"a": (wander(6, 8, seed=1), None)})
    with library.catalogue() as catalogue:
        held = HeldContents(catalogue)
    derive_timelines(library, held, None).close()
    folder = library.folder / "derived" / "search"
    expected = (folder / "audio.f16").read_bytes()
    if damage == "table":
        (folder / "contents.arrow").write_bytes(b"ARROW1 nonsense")
    elif damage == "rows":
        (folder / "audio.f16").write_bytes(expected[:-2])
    else:
        content = (folder / "contents.arrow").read_bytes()
        (folder / "contents.arrow").write_bytes(
            content.replace((6).to_bytes(8, "little"), (7).to_bytes(8, "little"))
        )
    derive_timelines(library, held, None).close()
    assert (folder / "audio.f16").read_bytes() == expected


def test_windows_are_means_of_what_is_there():
    rows = np.zeros((9, 2), np.float16)
    rows[0], rows[1], rows[4], rows[8] = (1, 0), (0, 1), (1, 0), (0, 1)
    found = windows_of(rows, first_C=np.array([0, 6]), count_C=np.array([6, 3]))
    assert found.place_W.tolist() == [0, 2, 6]
    np.testing.assert_allclose(found.rows_WD, [(0.5, 0.5), (1, 0), (0, 1)])
    nothing = windows_of(np.zeros((4, 2), np.float16), first_C=np.array([0]), count_C=np.array([4]))
    assert len(nothing.place_W) == len(nothing.rows_WD) == 0


def test_places_are_windows_of_their_own_for_short_queries():
    rows = np.zeros((3, 2), np.float16)
    rows[1] = (0, 1)
    found = places_as_windows(rows, rows.any(axis=1))
    assert (found.place_W.tolist(), found.rows_WD.tolist()) == ([1], [[0, 1]])
    assert places_as_windows(rows[:0], np.zeros(0, bool)).place_W.tolist() == []


def test_windows_of_queries_cover_them():
    rows = np.arange(12, dtype=np.float32)[:, None]
    means, starts = query_windows(rows)
    assert (means[:, 0].tolist(), starts.tolist()) == ([1.5, 5.5, 9.5], [0, 4, 8])
    assert query_windows(rows[:2])[0].tolist() == [[0.0], [1.0]]
    assert len(query_windows(np.ones((400, 1), np.float32))[1]) == 8
    assert LibraryConfig().num_frames / 4 == 4  # a clip has four

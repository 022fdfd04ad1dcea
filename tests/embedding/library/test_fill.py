"""A folder of videos becomes a folder of vectors: the same bytes with any number of workers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder, embed_video
from cavmae_sync.embedding.library import (
    FillOptions,
    Throughput,
    add_to_library,
    open_library,
    update_library,
)
from cavmae_sync.errors import ConfigError, DatasetError, TooManyRejectedError, WeightsError
from cavmae_sync.media import read_audio
from cavmae_sync.work import Share

from .conftest import HERE, SMALL, Counting, Held, make_video


def test_each_clip_has_the_vectors_that_embed_video_gives(
    videos: Path, library: Path, embedder: Embedder
) -> None:
    """Those of a long file too, which came in several pieces."""
    opened = open_library(library)
    found = opened.embeddings()
    clips = {row["id"]: row for row in opened.clips().to_pylist()}
    whole = [clips[clip_id] for clip_id in found.clip_ids]
    long = [("long.mp4", float(start)) for start in range(6)]
    named = [("a/dog.mp4", 0.0), ("b 'ü' 音.mp4", 0.0), *long]
    assert [(row["source"], row["start_seconds"]) for row in whole] == named
    places = {place: row for row, place in enumerate(named)}
    num_compared = 0
    for source in {source for source, _ in named}:
        for part in embed_video(
            embedder, videos / source, clip_seconds=1.0, num_frames=2, sampling="uniform_start"
        ):
            row = places.get((source, part.clip.start_seconds))
            if row is None:
                continue  # the rest of a file: it has fewer moments here
            torch.testing.assert_close(found.audio_NTD[row], part.embedding.audio_TD, atol=2e-6, rtol=0)
            torch.testing.assert_close(found.visual_NTD[row], part.embedding.visual_TD, atol=2e-6, rtol=0)
            assert whole[row]["frame_seconds"] == part.embedding.frame_seconds_T.tolist()
            num_compared += 1
    assert num_compared == len(named)


def test_moments_of_a_file_are_equally_far_apart(library: Path) -> None:
    """The last clip of 6.5 s has one moment and not two squeezed ones."""
    opened = open_library(library)
    content = next(row.content for row in opened.files() if row.path == "long.mp4")
    part = opened.part(content)
    assert part.frames_per_clip.tolist() == [2, 2, 2, 2, 2, 2, 1]
    np.testing.assert_allclose(part.moment_seconds, np.arange(13) * 0.5)
    assert part.facts["is_short"].to_pylist() == [False] * 6 + [True]


def test_files_with_one_sense_are_there_with_that_sense(
    videos: Path, library: Path, embedder: Embedder
) -> None:
    opened = open_library(library)
    of_path = {row.path: opened.part(row.content or "") for row in opened.files()}
    mute, sound = of_path["mute.mp4"], of_path["sound.wav"]
    assert mute.vectors("audio") is None
    assert mute.facts["is_silent"].to_pylist() == [None]
    assert mute.vectors("visual") is not None
    assert sound.vectors("visual") is None
    assert sound.facts["is_still"].to_pylist() == [None] * 3
    np.testing.assert_allclose(sound.moment_seconds, [0.0, 0.5, 1.0, 1.5, 2.0])
    audio_FD = sound.vectors("audio")
    assert audio_FD is not None
    assert len(audio_FD) == 5
    assert len(read_audio(videos / "sound.wav")) == 40_000
    contents = {row.content: row for row in opened.contents()}
    assert [
        (contents[part.content].has_audio, contents[part.content].has_visual) for part in (mute, sound)
    ] == [
        (False, True),
        (True, False),
    ]


def test_bad_files_are_listed_with_their_reason(library: Path, videos: Path) -> None:
    """`c.mp4` is damaged near its end: the pieces with its first clips had been encoded already."""
    opened = open_library(library)
    failed = opened.failed()
    assert [(row.path, row.reason) for row in failed] == [
        ("c.mp4", "damaged"),
        ("empty.mp4", "unreadable"),
        ("text.mp4", "unreadable"),
    ]
    assert (failed[0].message or "").startswith("c.mp4 is damaged: the video frame at 3.30 s")
    assert str(videos) not in json.dumps([row.message for row in failed])
    with opened.catalogue() as catalogue:
        assert [(root, row.file, row.reason) for root, row in catalogue.skipped()] == [
            (videos.name, "notes.txt", "not_media")
        ]
    assert not any((library / "work").glob("*.part"))


def test_a_content_at_two_places_is_there_once(library: Path) -> None:
    opened = open_library(library)
    contents = {row.path: row.content for row in opened.files()}
    assert contents["a/dog.mp4"] == contents["z_copy.mp4"]
    assert sum(row.content == contents["z_copy.mp4"] for row in opened.contents()) == 1
    report = opened.report()
    assert (report.num_files, report.num_copies, report.num_failed, report.num_skipped) == (6, 1, 3, 1)
    assert report.clip_seconds == pytest.approx(1.0 + 1.5 + 6.5 + 1.0 + 2.5)
    assert (report.num_without_sound, report.num_without_picture) == (1, 1)
    assert opened.clips()["source"].to_pylist().count("z_copy.mp4") == 0


def test_any_number_of_workers_gives_the_same_bytes(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path, held: Held
) -> None:
    run = add_to_library(
        embedder, videos, out=tmp_path / "out", config=SMALL, options=FillOptions(num_workers=2)
    )
    assert held(tmp_path / "out") == held(library)
    assert 0 < run.throughput.waiting_seconds < run.throughput.seconds
    assert (run.throughput.num_files, run.throughput.num_rejected) == (9, 3)
    assert [row.path for row in sorted(run.failed, key=lambda row: row.path)] == [
        "c.mp4",
        "empty.mp4",
        "text.mp4",
    ]


def test_shares_in_any_order_give_the_same_bytes(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path, held: Held
) -> None:
    for index in (2, 0, 1):
        options = FillOptions(num_workers=0, share=Share(index=index, count=3))
        run = add_to_library(embedder, videos, out=tmp_path, config=SMALL, options=options)
        assert run.report.is_complete == (index == 1)
    assert held(tmp_path) == held(library)


def test_running_again_reads_nothing(videos: Path, library: Path, counting: Counting, held: Held) -> None:
    before = held(library)
    run = add_to_library(counting, videos, out=library, config=SMALL, options=HERE)
    assert run.throughput == Throughput()
    assert (counting.num_frames, held(library)) == (0, before)


def test_progress_counts_bytes_and_never_goes_back(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    options = FillOptions(
        num_workers=0,
        on_progress=lambda done, total, throughput: seen.append((done, total, throughput.num_clips)),
    )
    add_to_library(embedder, videos, out=tmp_path / "out", config=SMALL, options=options)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert len({done for done, _, _ in seen}) > 9  # inside of long files too


def test_asked_to_stop_it_keeps_what_it_has(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path, held: Held
) -> None:
    asked = iter([False] * 3)
    options = FillOptions(num_workers=0, should_stop=lambda: next(asked, True))
    run = add_to_library(embedder, videos, out=tmp_path / "out", config=SMALL, options=options)
    assert not run.report.is_complete
    assert run.report.num_clips > 0
    assert open_library(tmp_path / "out").clips().num_rows == run.report.num_clips
    run = update_library(embedder, tmp_path / "out", options=HERE)
    assert run.report.is_complete
    assert held(tmp_path / "out") == held(library)


def test_another_model_or_configuration_is_not_mixed_in(
    videos: Path, library: Path, embedder: Embedder
) -> None:
    other = SMALL.model_copy(update={"sampling": "uniform_left"})
    with pytest.raises(ConfigError, match=r"and now sampling=uniform_left is asked for"):
        add_to_library(embedder, videos, out=library, config=other, options=HERE)
    means = Embedder(embedder.model, device="cpu", representation="patch_mean")
    for fill in (
        lambda: add_to_library(means, videos, out=library, config=SMALL, options=HERE),
        lambda: update_library(means, library, options=HERE),
    ):
        with pytest.raises(ConfigError, match=r"representation=global, and now representation=patch_mean"):
            fill()


def test_a_folder_that_is_something_else_is_refused(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").touch()
    with pytest.raises(DatasetError, match="is not empty and not a library"):
        add_to_library(embedder, videos, out=tmp_path, config=SMALL, options=HERE)


def test_too_many_failed_is_an_error_that_can_be_waived(
    videos: Path, embedder: Embedder, tmp_path: Path
) -> None:
    words = {"out": tmp_path / "out", "config": SMALL, "options": HERE}
    with pytest.raises(TooManyRejectedError, match=r"3 of 9 files cannot be used \(limit 20%\)"):
        add_to_library(embedder, videos, **words, max_failed_fraction=0.2)
    run = add_to_library(embedder, videos, **words, max_failed_fraction=0.5)
    assert run.throughput == Throughput()  # what was read stayed


def test_a_failing_model_is_no_bad_file(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    model = type(embedder.model)(embedder.model.config, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    broken = Embedder(model, device="cpu")
    with pytest.raises(WeightsError, match="not finite"):
        add_to_library(broken, videos, out=tmp_path / "out", config=SMALL, options=HERE)
    assert open_library(tmp_path / "out").failed() == []


def test_float16_takes_half_the_room_and_keeps_cosines(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path
) -> None:
    config = SMALL.model_copy(update={"store": "float16"})
    add_to_library(embedder, videos, out=tmp_path / "out", config=config, options=HERE)
    exact, half = open_library(library).embeddings(), open_library(tmp_path / "out").embeddings()
    cosines = (exact.audio_NTD * exact.visual_NTD).sum(-1)
    np.testing.assert_allclose((half.audio_NTD * half.visual_NTD).sum(-1), cosines, atol=3e-4)
    assert half.num_broken_rows == 0


def test_two_writers_are_one_too_many(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    def second(*_: object) -> None:
        with pytest.raises(DatasetError, match="Another process is filling"):
            update_library(embedder, tmp_path / "out", options=HERE)

    add_to_library(
        embedder,
        videos / "a",
        out=tmp_path / "out",
        config=SMALL,
        options=FillOptions(num_workers=0, on_progress=second),
    )


def test_long_files_take_several_batches(embedder: Embedder, tmp_path: Path) -> None:
    """More clips than a record batch holds: they are read as one."""
    make_video(tmp_path / "v" / "long.mp4", seconds=28.0, seed=7)
    config = SMALL.model_copy(update={"clip_seconds": 0.1, "min_seconds": 0.05, "num_frames": 1})
    add_to_library(embedder, tmp_path / "v", out=tmp_path / "out", config=config, options=HERE)
    (part,) = open_library(tmp_path / "out").parts()
    assert len(part) == 280
    assert len(part.rows["audio"].chunks) == 2
    audio_FD = part.vectors("audio")
    assert audio_FD is not None
    assert audio_FD.shape == (280, 16)

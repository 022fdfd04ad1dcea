"""Preparation: what comes of good, odd and broken files, and what a label list does."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cavmae_sync.data import PreparedDataset, prepare
from cavmae_sync.errors import ConfigError, DatasetError, TooManyRejectedError
from cavmae_sync.work import Share, ShareProgress

from ...small_videos import SMALL

ODD = Path(__file__).parents[2] / "media" / "odd"
Contents = Callable[[Path], dict[str, bytes]]


def test_clips_have_stable_ids_times_and_flags(prepared_videos: Path) -> None:
    clips = PreparedDataset.open(prepared_videos)
    rows = [clips.row(index) for index in range(len(clips))]
    assert [row.id for row in rows] == [
        "a/dog",
        "b/dog",
        "long@0.000",
        "long@2.000",
        "long@4.000",
        "quiet",
        "still",
        "z_copy",
    ]
    by_id = {row.id: row for row in rows}
    assert [row.id for row in rows if row.is_silent] == ["quiet"]
    assert [row.id for row in rows if row.is_still] == ["still"]
    assert [row.id for row in rows if row.is_short] == ["long@4.000"]
    assert [row.id for row in rows if row.is_duplicate] == ["z_copy"]
    assert by_id["a/dog"].content_hash == by_id["z_copy"].content_hash != by_id["b/dog"].content_hash
    last = by_id["long@4.000"]
    assert (last.start_seconds, last.stop_seconds) == (4.0, 5.0)
    assert (last.num_samples, last.num_spectrogram_frames) == (16_000, 98)
    assert last.frame_seconds == pytest.approx([0.0, 0.3, 0.6, 0.9])
    assert last.sampling == "linspace_inclusive"


def test_labels_belong_to_files(prepared_videos: Path) -> None:
    clips = PreparedDataset.open(prepared_videos)
    labels = dict(zip(clips.clip_ids, clips.labels, strict=True))
    assert labels["b/dog"] == ("bark", "growl")
    assert labels["long@4.000"] == ("song",)
    assert labels["a/dog"] == ()
    counts = json.loads((prepared_videos / "dataset.json").read_text())["counts"]
    assert (counts["num_unlabelled"], counts["num_unknown_labels"]) == (4, 1)


def test_what_was_left_out_is_listed_with_its_reason(prepared_videos: Path, videos: Path) -> None:
    rows = pq.read_table(prepared_videos / "rejected.parquet").to_pylist()
    assert [(row["file"], row["reason"]) for row in rows] == [
        ("empty.mp4", "unreadable"),
        ("text.mp4", "unreadable"),
        ("notes.txt", "not_media"),
    ]
    assert rows[0]["message"].startswith("empty.mp4 ")


def test_no_path_of_this_machine_is_stored(prepared_videos: Path, videos: Path, contents: Contents) -> None:
    for name, content in contents(prepared_videos).items():
        assert str(videos).encode() not in content, name


def test_the_report_counts(videos: Path, prepared_videos: Path) -> None:
    """Running again on a finished dataset only counts."""
    labels = prepared_videos.parent / "labels.csv"
    report = prepare(videos, out=prepared_videos, config=SMALL, labels=labels, num_workers=0)
    assert report.is_complete
    assert (report.num_clips, report.num_files_accepted, report.num_files_rejected) == (8, 6, 2)
    assert report.rejected_by_reason == {"unreadable": 2}
    assert report.num_files_skipped == report.num_silent == report.num_still == report.num_duplicate == 1
    assert report.clip_seconds == pytest.approx(15.0)
    assert report.to_dict()["num_clips"] == 8
    assert report.labels_by_rule == {"same path": 2}
    assert report.num_labelled_cuts == 3  # of `long`
    assert report.to_table().row_count == 15


def test_odd_files_are_refused_whole(tmp_path: Path) -> None:
    names = ["00_base_ok.mp4", "01_no_audio.mp4", "02_audio_only.mp4", "07_0p3s.mp4", "39_bitflips.mp4"]
    for name in names:
        shutil.copy(ODD / name, tmp_path / name)
    report = prepare(tmp_path, out=tmp_path / "out", config=SMALL, num_workers=0)
    assert report.rejected_by_reason == {"damaged": 1, "no_audio": 1, "no_video": 1, "too_short": 1}
    clips = PreparedDataset.open(tmp_path / "out")
    assert {clips.row(index).source for index in range(len(clips))} == {"00_base_ok.mp4"}
    assert clips.check() == ()


def test_too_many_rejected_is_an_error_that_can_be_waived(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TooManyRejectedError, match=r"2 of 8 files cannot be used \(limit 20%\).*empty\.mp4 is"
    ):
        prepare(videos, out=tmp_path / "out", config=SMALL, num_workers=0, max_rejected_fraction=0.2)
    assert not (tmp_path / "out" / "dataset.json").exists()
    seen: list[ShareProgress] = []
    prepare(
        videos,
        out=tmp_path / "out",
        config=SMALL,
        num_workers=0,
        max_rejected_fraction=0.25,
        on_progress=seen.append,
    )
    assert seen == []  # nothing was done again
    assert len(PreparedDataset.open(tmp_path / "out")) == 8


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").touch()
    with pytest.raises(TooManyRejectedError, match="1 of 1 files"):
        prepare(tmp_path, out=tmp_path / "out", num_workers=0)


def test_another_preparation_is_not_mixed_in(videos: Path, prepared_videos: Path, tmp_path: Path) -> None:
    other = SMALL.model_copy(update={"jpeg_quality": 50})
    said = r"jpeg_quality=92, and now jpeg_quality=50 .*; labels were given then .*: give the same --labels"
    with pytest.raises(DatasetError, match=said):
        prepare(videos, out=prepared_videos, config=other, num_workers=0)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty and was not left by a preparation"):
        prepare(videos, out=tmp_path / "full", num_workers=0)


def test_labels_that_fit_nothing_are_refused(videos: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video_id,labels\ndog.mp4,x\n")
    with pytest.raises(DatasetError, match="No label belongs to any video"):
        prepare(videos, out=tmp_path / "out", labels=labels, num_workers=0)


def test_any_number_of_workers_gives_the_same_bytes(videos: Path, tmp_path: Path, contents: Contents) -> None:
    for num_workers in (0, 2):
        prepare(videos, out=tmp_path / str(num_workers), config=SMALL, num_workers=num_workers)
    assert contents(tmp_path / "0") == contents(tmp_path / "2")


def test_shares_add_up_to_the_whole(videos: Path, tmp_path: Path, contents: Contents) -> None:
    prepare(videos, out=tmp_path / "whole", config=SMALL, num_workers=0)
    shares = [
        prepare(videos, out=tmp_path / "shared", config=SMALL, num_workers=0, share=Share(index=i, count=3))
        for i in (2, 0, 1)
    ]
    assert [report.is_complete for report in shares] == [False, False, True]
    assert shares[0].num_clips < shares[1].num_clips < shares[2].num_clips == 8
    assert contents(tmp_path / "whole") == contents(tmp_path / "shared")


def test_large_units_become_several_shards(videos: Path, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"files_per_shard": 100, "shard_bytes": 1})
    report = prepare(videos, out=tmp_path / "out", config=config, num_workers=0)
    assert len(list((tmp_path / "out" / "shards").iterdir())) == report.num_files_accepted
    assert PreparedDataset.open(tmp_path / "out").check() == ()


def test_one_clip_a_file_as_the_published_datasets(videos: Path, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"max_clips_per_file": 1})
    prepare(videos, out=tmp_path / "out", config=config, num_workers=0)
    clips = PreparedDataset.open(tmp_path / "out")
    assert "long" in clips.clip_ids
    assert len(clips) == 6


def test_a_list_gives_its_own_order(videos: Path, tmp_path: Path) -> None:
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["file"], [videos / "still.mp4"], [videos / "a/dog.mp4"], [videos / "gone.mp4"]]
        )
    report = prepare(tmp_path / "list.csv", out=tmp_path / "out", config=SMALL, num_workers=0)
    assert PreparedDataset.open(tmp_path / "out").clip_ids == ["still", "a/dog"]
    assert report.rejected_by_reason == {"unreadable": 1}


def test_progress_is_told(videos: Path, tmp_path: Path) -> None:
    seen: list[ShareProgress] = []
    prepare(videos, out=tmp_path / "out", config=SMALL, num_workers=0, on_progress=seen.append)
    assert [step.num_done for step in seen] == [2, 4, 6, 8]
    assert (seen[-1].num_files, seen[-1].num_clips, seen[-1].num_rejected) == (8, 8, 2)


def test_few_files_are_work_for_as_many_workers(videos: Path, tmp_path: Path) -> None:
    seen: list[ShareProgress] = []
    config = SMALL.model_copy(update={"files_per_shard": None})
    prepare(videos, out=tmp_path / "out", config=config, num_workers=0, on_progress=seen.append)
    assert [step.num_done for step in seen] == list(range(1, 9))


def test_clips_too_short_for_a_spectrogram_are_not_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"min_seconds: .*greater than or equal to 0\.05"):
        SMALL.with_overrides(["min_seconds=0.01"])


def test_a_config_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"min_seconds=1\.0 is longer than clip_seconds=0\.5"):
        SMALL.with_overrides(["clip_seconds=0.5"])
    with pytest.raises(ValueError, match="index=2, count=2"):
        Share(index=2, count=2)

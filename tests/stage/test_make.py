"""A stage on disk: real video files, labels that `prepare` reads, truth that survives, work that resumes."""

import json
import shutil

import numpy as np
import pytest

from cavmae_sync.atomic import locked
from cavmae_sync.data.preparing.labels import read_labels
from cavmae_sync.errors import DatasetError
from cavmae_sync.media import read_clip
from cavmae_sync.stage import ProceduralPack, StageConfig, StageTruth, generate_clip, make_stage
from cavmae_sync.stage.truth_file import to_table

SMALL = StageConfig(variant="easy", frame_pixels=64, clip_seconds=3, frames_per_second=6, split="test")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage") / "made"
    make_stage(folder, config=SMALL, num_clips=3, num_workers=1)
    return folder


def decoded(folder, video_id):
    return read_clip(
        folder / "clips" / f"{video_id}.mp4", clip_seconds=3, num_frames=18, sampling="uniform_left"
    )


def test_a_stage_is_clips_labels_truth_and_a_description(stage):
    assert sorted(path.name for path in stage.iterdir()) == [
        "clips",
        "labels.csv",
        "stage.json",
        "truth.parquet",
        "writer.lock",
    ]
    assert sorted(path.stem for path in (stage / "clips").iterdir()) == [f"test-0-00000{n}" for n in range(3)]
    described = json.loads((stage / "stage.json").read_text())
    assert StageConfig.model_validate(described["config"]) == SMALL
    assert described["pack"] == ProceduralPack().fingerprint


def test_two_makers_are_not_in_each_others_way(stage):
    """Each would remove unfinished files of the other."""
    before = {path: path.stat().st_mtime_ns for path in stage.rglob("*")}
    with (
        locked(stage / "writer.lock"),
        pytest.raises(DatasetError, match=r"Another process is making clips in .*Wait until it ends\."),
    ):
        make_stage(stage, config=SMALL, num_clips=4, num_workers=1)
    del before[stage / "writer.lock"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(StageTruth(stage)) == 3


def test_labels_are_those_that_prepare_reads(stage):
    labels = read_labels(stage / "labels.csv")
    by_video = dict(zip((clip.id for clip in labels.clips), labels.labels, strict=True))
    assert by_video == StageTruth(stage).labels()


def test_truth_on_disk_is_the_truth_in_memory(stage):
    truth = StageTruth(stage)
    assert list(truth) == ["test-0-000000", "test-0-000001", "test-0-000002"]
    made = generate_clip(1, config=SMALL, pack=ProceduralPack()).truth
    assert to_table(truth["test-0-000001"]).equals(to_table(made))
    assert truth["test-0-000001"].objects[0].boxes_T4.shape == (18, 4)


def test_decoded_frames_are_the_drawn_frames(stage):
    made = generate_clip(0, config=SMALL, pack=ProceduralPack())
    clip = decoded(stage, "test-0-000000")
    np.testing.assert_allclose(clip.frame_seconds_T, made.truth.frame_seconds_T, atol=1e-3)
    difference = np.abs(clip.frames_THWC.astype(float) - made.frames_THWC).mean(axis=(1, 2, 3))
    assert difference.max() < 6
    to_next = np.abs(clip.frames_THWC[:-1].astype(float) - made.frames_THWC[1:]).mean(axis=(1, 2, 3))
    assert to_next.mean() > 1.2 * difference.mean()


def test_decoded_sound_starts_when_the_truth_says(tmp_path):
    config = SMALL.model_copy(update={"max_objects": 1, "off_stage_fraction": 0.0, "noise_decibels": -80.0})
    make_stage(tmp_path, config=config, num_clips=3, num_workers=1)
    for video_id, truth in StageTruth(tmp_path).items():
        waveform_S = decoded(tmp_path, video_id).waveform_S
        level = np.sqrt(np.mean(waveform_S[: len(waveform_S) // 80 * 80].reshape(-1, 80) ** 2, axis=1))
        first = np.flatnonzero(level > 0.1 * level.max())[0] * 80 / 16_000
        # AAC spreads a sudden sound over up to a frame of 64 ms before it.
        assert first == pytest.approx(truth.events[0].start_seconds, abs=0.07)


def test_the_number_of_workers_changes_nothing(stage, tmp_path):
    summary = make_stage(tmp_path, config=SMALL, num_clips=3, num_workers=2)
    assert (summary.num_clips, summary.num_made) == (3, 3)
    assert (tmp_path / "truth.parquet").read_bytes() == (stage / "truth.parquet").read_bytes()
    assert (tmp_path / "labels.csv").read_bytes() == (stage / "labels.csv").read_bytes()
    for video_id in StageTruth(stage):
        np.testing.assert_array_equal(
            decoded(tmp_path, video_id).frames_THWC, decoded(stage, video_id).frames_THWC
        )


class StoppedError(Exception):
    pass


def test_stopped_work_goes_on_where_it_was_and_ends_the_same(stage, tmp_path):
    def stop_after_two(done, total):
        if done == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        make_stage(tmp_path, config=SMALL, num_clips=3, num_workers=1, on_progress=stop_after_two)
    with pytest.raises(DatasetError, match=r"has no truth\.parquet.*interrupted"):
        StageTruth(tmp_path)
    progress = []
    summary = make_stage(
        tmp_path,
        config=SMALL,
        num_clips=3,
        num_workers=1,
        on_progress=lambda *counts: progress.append(counts),
    )
    assert summary.num_made == 1
    assert progress == [(3, 3)]
    assert (tmp_path / "truth.parquet").read_bytes() == (stage / "truth.parquet").read_bytes()


def test_a_stage_can_grow_and_heals_lost_clips(tmp_path):
    make_stage(tmp_path, config=SMALL, num_clips=1, num_workers=1)
    assert make_stage(tmp_path, config=SMALL, num_clips=2, num_workers=1).num_made == 1
    (tmp_path / "clips" / "test-0-000000.mp4").unlink()
    assert make_stage(tmp_path, config=SMALL, num_clips=2, num_workers=1).num_made == 1
    assert sorted(StageTruth(tmp_path)) == ["test-0-000000", "test-0-000001"]
    assert make_stage(tmp_path, config=SMALL, num_clips=2, num_workers=1).num_made == 0


def test_what_a_kill_left_behind_is_removed(tmp_path):
    make_stage(tmp_path, config=SMALL, num_clips=1, num_workers=1)
    left = [tmp_path / "clips" / "x.mp4.0a.part", tmp_path / "parts" / "x.parquet.0a.part"]
    (tmp_path / "parts").mkdir()
    for path in left:
        path.touch()
    make_stage(tmp_path, config=SMALL, num_clips=1, num_workers=1)
    assert not any(path.exists() for path in left)
    assert not (tmp_path / "parts").exists()


def test_another_configuration_in_the_same_folder_is_refused(stage):
    other = SMALL.model_copy(update={"seed": 1})
    with pytest.raises(DatasetError, match="another stage: seed is 0, not 1"):
        make_stage(stage, config=other, num_clips=1, num_workers=1)


def test_a_stage_of_version_1_is_read_and_not_extended(stage, tmp_path):
    shutil.copytree(stage, tmp_path / "old")
    described = json.loads((stage / "stage.json").read_text())
    old = described | {"version": 1, "config": described["config"] | {"variant": "standard"}}
    (tmp_path / "old" / "stage.json").write_text(json.dumps(old))
    assert len(StageTruth(tmp_path / "old")) == 3
    with pytest.raises(DatasetError, match=r"is a stage of version 1.*clips of version 2"):
        make_stage(tmp_path / "old", config=SMALL, num_clips=4, num_workers=1)


def test_a_folder_that_is_no_stage_has_no_truth(tmp_path):
    with pytest.raises(DatasetError, match=r"has no truth\.parquet"):
        StageTruth(tmp_path)


def test_a_stage_needs_a_clip(tmp_path):
    with pytest.raises(ValueError, match="num_clips must be at least 1, got 0"):
        make_stage(tmp_path, config=SMALL, num_clips=0)

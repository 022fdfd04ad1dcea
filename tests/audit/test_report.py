"""An audit as files that other commands take, and as a page."""

import csv
import json

import pytest

from cavmae_sync.audit.page import write_audit_page
from cavmae_sync.audit.report import audit_videos, write_audit
from cavmae_sync.cli import run
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare, read_clip_list, select
from cavmae_sync.errors import DatasetError
from cavmae_sync.media import write_video

from .conftest import RATE, scene, tune

CONFIG = PrepareConfig(clip_seconds=2.0, num_frames=4, frame_pixels=64, min_seconds=0.5)
WORDS = ("clip_seconds=2", "num_frames=4", "frame_pixels=64", "min_seconds=0.5")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two good clips, a copy of the first, and its picture with another sound."""
    folder = tmp_path_factory.mktemp("videos")

    def write(name, picture, sound):
        path = folder / f"{name}.mp4"
        write_video(path, scene(picture), frames_per_second=RATE, waveform_S=tune(sound))

    for name, picture, sound in (("a", 0, 0), ("b", 1, 1), ("c", 0, 0), ("d", 0, 2)):
        write(name, picture, sound)
    (folder / "list.txt").write_text("b\tbell\na\tdog\nc\tdog\nd\tdog\ne\tcat\n")
    return folder


@pytest.fixture(scope="module")
def audited(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    report = audit_videos(
        videos,
        out=out,
        wanted=read_clip_list(videos / "list.txt"),
        config=CONFIG,
        against=videos,
        num_workers=0,
    )
    write_audit(report, out)
    write_audit_page(report, out / "audit.html")
    return report, out


def test_the_available_clips_are_a_list_for_prepare_and_for_evaluate(audited, tmp_path):
    _, out = audited
    wanted = read_clip_list(out / "survivors.txt")
    assert wanted.ids == ("b", "a")
    assert wanted.labels == (("bell",), ("dog",))
    prepare(out / "survivors-files.csv", out=tmp_path / "prepared", config=CONFIG, num_workers=0)
    selection = select(PreparedDataset.open(tmp_path / "prepared"), wanted)
    assert (selection.clips.clip_ids, selection.missing) == (["b", "a"], ())


def test_the_table_and_the_json_have_every_clip(audited):
    report, out = audited
    with (out / "audit.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "b": "ok",
        "a": "ok",
        "c": "duplicate",
        "d": "duplicate",
        "e": "missing",
    }
    assert rows["d"]["details"] == "same picture as a"
    content = json.loads((out / "audit.json").read_text())
    assert content == json.loads(json.dumps(report.to_dict()))
    assert (content["expected"], content["survivors"], content["counts"]["duplicate"]) == (5, 2, 2)
    assert content["list"]["sha256"] == report.wanted.sha256
    assert report.available_by_class() == {"cat": (0, 1), "dog": (1, 3), "bell": (1, 1)}


def test_the_other_dataset_has_the_clips_that_leak(audited):
    report, _ = audited
    names = [clip.id for clip in report.audit.clips]
    leaks = {(names[pair.first], report.other[pair.second].id) for pair in report.overlap}
    assert {(name, name) for name in "abcd"} <= leaks
    assert ("a", "b") not in leaks


def test_another_dataset_that_is_not_there_is_refused_before_anything_is_read(videos, tmp_path):
    with pytest.raises(DatasetError, match="nowhere is neither"):
        audit_videos(videos, out=tmp_path / "out", against=tmp_path / "nowhere", num_workers=0)
    assert not (tmp_path / "out").exists()


def test_the_page_shows_counts_classes_and_pairs(audited):
    _, out = audited
    page = (out / "audit.html").read_text()
    for heading in (
        "Clips by state",
        "Classes",
        "Duplicate clips",
        "Clips that are also in the other dataset",
    ):
        assert heading in page
    assert page.count("data:image/png") == 4


def test_the_command_prints_what_it_found(videos, tmp_path, capsys):
    words = ["audit", str(videos), *WORDS, "--list", str(videos / "list.txt"), "--out", str(tmp_path / "out")]
    words += ["--num-workers", "0", "--keep", "duplicate"]
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["survivors"] == 4
    assert run(words) == 0
    assert "4 available (duplicate kept)" in capsys.readouterr().out
    assert (tmp_path / "out" / "survivors.txt").read_text().split() == [
        "b",
        "bell",
        "a",
        "dog",
        "c",
        "dog",
        "d",
        "dog",
    ]

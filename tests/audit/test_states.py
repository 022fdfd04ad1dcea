"""Every fault planted in real files is found, nothing else is, and a second run reads nothing again."""

import json

import numpy as np
import pytest

from cavmae_sync.audit import DuplicatePair, audit_clips, find_duplicates, find_overlap, take_inventory
from cavmae_sync.data import ClipList, PrepareConfig, PreparedDataset, prepare
from cavmae_sync.errors import DatasetError
from cavmae_sync.media import write_video

from .conftest import RATE, scene

CONFIG = PrepareConfig(clip_seconds=2.0, num_frames=4, frame_pixels=64, min_seconds=0.5)
EXPECTED = {
    "a_well": "ok",
    "b_other": "ok",
    "c_silent": "silent",
    "d_silent_too": "silent",
    "e_black": "still",
    "f_still": "still",
    "g_short": "short",
    "h_same_sound": "duplicate",
    "i_same_picture": "duplicate",
    "j_same_file": "duplicate",
    "k_reencoded": "duplicate",
    "l_text": "unreadable",
    "m_gone": "missing",
}


def clips_of(inventory):
    return [clip for item in inventory.items for clip in item.clips]


@pytest.fixture(scope="module")
def inventory(faulty_videos, tmp_path_factory):
    facts = tmp_path_factory.mktemp("audit") / "facts.jsonl"
    return take_inventory(faulty_videos, facts=facts, config=CONFIG, num_workers=0)


def test_every_planted_fault_is_found(inventory):
    wanted = ClipList(ids=tuple(EXPECTED), labels=((),) * len(EXPECTED), name="all", source="test")
    audit = audit_clips(inventory, find_duplicates(clips_of(inventory)), wanted=wanted)
    assert {clip.id: clip.state for clip in audit.expected} == EXPECTED
    twins = {clip.id: clip.duplicate_of for clip in audit.expected if clip.duplicate_of}
    assert twins == {
        "h_same_sound": "a_well",
        "i_same_picture": "b_other",
        "j_same_file": "a_well",
        "k_reencoded": "b_other",
    }
    details = {clip.id: clip.details for clip in audit.expected}
    assert details["j_same_file"] == "same file and sound and picture as a_well"
    assert details["k_reencoded"] == "same sound and picture as b_other"
    assert details["h_same_sound"] == "same sound as a_well"
    assert details["l_text"].startswith("unreadable: ")
    assert audit.skipped == {"not_media": 1}
    assert [clip.id for clip in audit.available_clips()] == ["a_well", "b_other"]
    assert len(audit.available_clips(keep=("silent", "still", "duplicate"))) == 10


def test_without_a_list_a_whole_short_file_is_well(inventory):
    audit = audit_clips(inventory, [], wanted=None)
    assert [clip.state for clip in audit.expected if clip.id == "g_short"] == ["ok"]
    assert "g_short" in [clip.id for clip in audit.available_clips()]
    assert audit.with_problem()["short"] == 0


def test_what_is_there_but_not_asked_for_is_counted(inventory):
    wanted = ClipList(ids=("b_other", "nowhere"), labels=((), ()), name="two", source="test")
    audit = audit_clips(inventory, [], wanted=wanted)
    assert audit.counts()["missing"] == audit.counts()["ok"] == 1
    assert audit.num_unexpected == len(audit.clips) - 1


def test_the_first_on_the_list_is_kept(inventory):
    wanted = ClipList(ids=("k_reencoded", "b_other"), labels=((), ()), name="two", source="test")
    audit = audit_clips(inventory, find_duplicates(clips_of(inventory)), wanted=wanted)
    assert [(clip.state, clip.duplicate_of) for clip in audit.expected] == [
        ("ok", None),
        ("duplicate", "k_reencoded"),
    ]


def test_a_copy_without_faults_is_kept_before_one_with_faults(faulty_videos, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(
        videos / "a.mp4", scene(1), frames_per_second=RATE, waveform_S=np.zeros(32_000, dtype=np.float32)
    )
    (videos / "b.mp4").write_bytes((faulty_videos / "b_other.mp4").read_bytes())
    found = take_inventory(videos, facts=tmp_path / "facts.jsonl", config=CONFIG, num_workers=0)
    audit = audit_clips(found, find_duplicates(clips_of(found)), wanted=None)
    assert [(clip.problems, clip.duplicate_of) for clip in audit.expected] == [
        (("silent", "duplicate"), "b"),
        ((), None),
    ]


def test_a_copy_of_a_copy_that_is_no_copy_of_what_is_kept_is_kept(inventory):
    """Likeness does not carry over: of three in a row only the middle one goes."""
    chain = [
        DuplicatePair(first=0, second=1, same=("sound",), sound=0.6, picture=None),
        DuplicatePair(first=1, second=10, same=("picture",), sound=None, picture=0.7),
    ]
    names = [clips_of(inventory)[place].id for place in (0, 1, 10)]
    wanted = ClipList(ids=tuple(names), labels=((),) * 3, name="chain", source="test")
    audit = audit_clips(inventory, chain, wanted=wanted)
    assert [(clip.state, clip.duplicate_of) for clip in audit.expected] == [
        ("ok", None),
        ("duplicate", names[0]),
        ("ok", None),
    ]


@pytest.mark.parametrize("beside", ["a.wav", "0.mp4", "z.webm"])
def test_a_clip_counts_and_not_what_lies_beside_it(faulty_videos, tmp_path, beside):
    """CAV-MAE's extraction leaves V.wav beside V.mp4; downloaders leave parts."""
    videos = tmp_path / "videos"
    (videos / "part").mkdir(parents=True)
    (videos / "a.mp4").write_bytes((faulty_videos / "a_well.mp4").read_bytes())
    (videos / (beside if beside == "a.wav" else f"part/a{beside[1:]}")).write_text("no video")
    found = take_inventory(videos, facts=tmp_path / "facts.jsonl", config=CONFIG, num_workers=0)
    wanted = ClipList(ids=("a",), labels=((),), name="one", source="test")
    audit = audit_clips(found, [], wanted=wanted)
    assert [(clip.state, clip.file) for clip in audit.expected] == [("ok", "a.mp4")]


def test_another_stretch_of_a_listed_video_is_not_the_listed_clip(faulty_videos, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "--4gqARaEJE_50.000.mp4").write_bytes((faulty_videos / "a_well.mp4").read_bytes())
    found = take_inventory(videos, facts=tmp_path / "facts.jsonl", config=CONFIG, num_workers=0)
    wanted = ClipList(ids=("--4gqARaEJE",), labels=((),), name="eval", source="test", start_seconds=(30.0,))
    audit = audit_clips(found, [], wanted=wanted)
    assert (audit.expected[0].state, audit.num_unexpected) == ("missing", 1)


def test_a_prepared_dataset_has_the_same_states_and_overlaps_with_its_videos(
    faulty_videos, inventory, tmp_path
):
    prepare(faulty_videos, out=tmp_path / "prepared", config=CONFIG, num_workers=0)
    stored = take_inventory(tmp_path / "prepared", facts=tmp_path / "facts.jsonl", config=CONFIG)
    audit = audit_clips(stored, find_duplicates(clips_of(stored)), wanted=None)
    # No list says that the short one should be longer.
    assert {clip.id: clip.state for clip in audit.expected} == {
        name: "ok" if state == "short" else state for name, state in EXPECTED.items() if state != "missing"
    }
    part = PreparedDataset.open(tmp_path / "prepared").clip_ids[:2]
    overlap = find_overlap([clip for clip in clips_of(inventory) if clip.id in part], clips_of(stored))
    assert {(pair.first, clips_of(stored)[pair.second].id) for pair in overlap} >= {
        (0, "a_well"),
        (0, "h_same_sound"),
        (1, "b_other"),
        (1, "k_reencoded"),
    }


def test_a_second_run_reads_new_and_changed_files_only(faulty_videos, tmp_path):
    videos, facts = tmp_path / "videos", tmp_path / "facts.jsonl"
    videos.mkdir()
    for name in ("a_well", "b_other"):
        (videos / f"{name}.mp4").write_bytes((faulty_videos / f"{name}.mp4").read_bytes())

    def run(config=CONFIG):
        return take_inventory(videos, facts=facts, config=config, num_workers=0)

    first = run()
    assert (first.num_read, run().num_read) == (2, 0)
    (videos / "c.mp4").write_bytes((faulty_videos / "c_silent.mp4").read_bytes())
    again = run()
    assert (again.num_read, len(again.items)) == (1, 3)
    assert clips_of(again)[0].sound.tolist() == clips_of(first)[0].sound.tolist()
    (videos / "c.mp4").write_text("broken since")
    assert run().num_read == 1
    assert run(CONFIG.with_overrides(["num_frames=8"])).num_read == 3


def test_a_line_that_a_kill_cut_off_is_read_again(faulty_videos, tmp_path):
    facts = tmp_path / "facts.jsonl"
    source = faulty_videos / "a_well.mp4"
    take_inventory(source, facts=facts, config=CONFIG, num_workers=0)
    whole = facts.read_text()
    facts.write_text(whole[:-20])
    assert take_inventory(source, facts=facts, config=CONFIG, num_workers=0).num_read == 1
    assert [json.loads(line) for line in facts.read_text().splitlines()] == [
        json.loads(line) for line in whole.splitlines()
    ]


def test_a_kill_may_cut_within_a_letter(faulty_videos, tmp_path):
    facts, source = tmp_path / "facts.jsonl", tmp_path / "möwe.mp4"
    source.write_bytes((faulty_videos / "a_well.mp4").read_bytes())
    take_inventory(source, facts=facts, config=CONFIG, num_workers=0)
    whole = facts.read_bytes()
    facts.write_bytes(whole[: whole.rindex("ö".encode()) + 1])
    assert take_inventory(source, facts=facts, config=CONFIG, num_workers=0).num_read == 1
    assert facts.read_bytes() == whole


def test_workers_find_what_one_process_finds(faulty_videos, inventory, tmp_path):
    found = take_inventory(faulty_videos, facts=tmp_path / "facts.jsonl", config=CONFIG, num_workers=2)
    assert [item.to_json() for item in found.items] == [item.to_json() for item in inventory.items]


def test_datasets_with_other_numbers_of_frames_are_refused(faulty_videos, inventory, tmp_path):
    config = CONFIG.with_overrides(["num_frames=8"])
    other = take_inventory(
        faulty_videos / "a_well.mp4", facts=tmp_path / "facts.jsonl", config=config, num_workers=0
    )
    with pytest.raises(DatasetError, match="4 and 8 frames"):
        find_overlap(clips_of(inventory), clips_of(other))

"""Every field of a plan in which a command can differ from the one that began a folder, in words."""

from typing import Any

import pytest

from cavmae_sync.work.plan_differences import differences

PLAN: dict[str, Any] = {
    "schema_version": 3,
    "read": "read_video",
    "config": {"num_frames": 16, "max_clips_per_file": None},
    "sources_sha256": "a" * 64,
    "labels_sha256": "b" * 64,
    "num_files": 7,
    "num_units": 7,
    "weights": "c" * 64,
    "made_with": {"precision": "float32"},
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels_sha256": None}, "labels were given then and are not now: give the same --labels again"),
        (
            {"labels_sha256": "d"},
            "the labels are different: give --labels, --split and --classes as then",
        ),
        (
            {"sources_sha256": "d", "num_files": 8, "num_units": 8},
            "the files have changed (7 then, 8 now): added, removed, renamed or another size",
        ),
        (
            {"sources_sha256": "d"},
            "the files have changed (7, as many as then): added, removed, renamed or another size",
        ),
        (
            {"read": "read_cavmae_entry", "sources_sha256": "d", "num_files": 8},
            "it was begun by prepare, not by import-cavmae",
        ),
        ({"schema_version": 4}, "another version of cavmae-sync began it (format 3, now 4)"),
        (
            {"weights": "d" * 64},
            "the weights are different (fingerprint cccccccccccc then, dddddddddddd now)",
        ),
        (
            {"config": {"num_frames": 10, "max_clips_per_file": None}},
            "it was made with num_frames=16, and now num_frames=10 is asked for",
        ),
        (
            {"config": {"num_frames": 16, "max_clips_per_file": 1}},
            "it was made with max_clips_per_file=none, and now max_clips_per_file=1 is asked for",
        ),
        (
            {"made_with": {"precision": "int8"}},
            "it was made with precision=float32, and now precision=int8 is asked for",
        ),
        ({"new_field": 1}, "it was made with new_field=none, and now new_field=1 is asked for"),
    ],
)
def test_each_difference_is_a_sentence(change: dict[str, Any], says: str):
    assert differences(PLAN, {**PLAN, **change}) == [says]


def test_labels_that_are_new():
    assert differences({**PLAN, "labels_sha256": None}, PLAN) == [
        "labels are given now and were not then: leave out --labels"
    ]


def test_equal_plans_and_plans_of_nothing():
    assert differences(PLAN, PLAN) == []
    assert len(differences({}, PLAN)) > 0

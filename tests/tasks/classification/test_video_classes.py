"""Classes of a video over time: the arithmetic by hand."""

import csv
import json

import numpy as np
import pytest

from cavmae_sync.tasks.classification.video_classes import SpanProbabilities, VideoClasses

CLASSES = ("drum", "flute", "dog")


def spans(seconds, *rows):
    times = np.array(seconds, dtype=np.float64)
    return SpanProbabilities(
        start_seconds_N=times[:-1],
        stop_seconds_N=times[1:],
        probabilities_NC=np.array(rows, dtype=np.float32),
    )


def found_by_hand(*, loss="bce"):
    """Ten seconds and two, in four moments."""
    return VideoClasses(
        classes=CLASSES,
        loss=loss,
        clips=spans((0, 10, 12), (0.9, 0.3, 0.0), (0.3, 0.9, 0.0)),
        moments=spans((0, 5, 6, 10, 12), (0.8, 0.6, 0), (0.6, 0.1, 0), (0.2, 0.3, 0), (0.7, 0.9, 0)),
        window_seconds=2.0,
        frame_seconds_T=np.array([1.0]),
        frames_THWC=np.zeros((1, 4, 4, 3), dtype=np.uint8),
        weights="a" * 64,
    )


def test_the_whole_file_is_the_mean_over_its_clips_by_length():
    found = found_by_hand()
    assert found.whole() == pytest.approx([0.8, 0.4, 0.0])
    assert [name for name, _ in found.top(2)] == ["drum", "flute"]
    assert found.top_of_clip(1, 1) == [("flute", pytest.approx(0.9))]


def test_spans_are_runs_of_moments_above_the_threshold():
    spans = found_by_hand().spans(threshold=0.5)
    assert [(span.name, span.start_seconds, span.stop_seconds) for span in spans] == [
        ("drum", 0, 6),
        ("flute", 0, 5),
        ("flute", 10, 12),
        ("drum", 10, 12),
    ]
    assert spans[0].mean_probability == pytest.approx((5 * 0.8 + 0.6) / 6)
    assert spans[0].peak_probability == pytest.approx(0.8)
    assert found_by_hand().spans(threshold=0.95) == ()


def test_where_one_class_is_chosen_the_surest_is_present_all_the_time():
    spans = found_by_hand(loss="ce").spans()
    assert [(span.name, span.start_seconds, span.stop_seconds) for span in spans] == [
        ("drum", 0, 6),
        ("flute", 6, 12),
    ]


def test_json_and_csv_are_complete():
    decoded = json.loads(found_by_hand().to_json())
    assert decoded["whole"] == pytest.approx({"drum": 0.8, "flute": 0.4, "dog": 0.0})
    assert [len(row["probabilities"]) for row in decoded["clips"] + decoded["moments"]] == [3] * 6
    assert decoded["spans"][0]["name"] == "drum"
    header, *rows = csv.reader(found_by_hand().to_csv().splitlines())
    assert header == ["kind", "start_seconds", "stop_seconds", *CLASSES]
    assert rows[1] == ["clip", "10.000", "12.000", "0.3", "0.9", "0.0"]
    assert [row[0] for row in rows] == ["clip"] * 2 + ["moment"] * 4


def test_spans_refuse_what_does_not_belong_together():
    with pytest.raises(ValueError, match="got 2, 2 and"):
        spans((0, 1, 2), (0.1, 0.2))
    with pytest.raises(ValueError, match="after it starts"):
        spans((1, 1), (0.1, 0.2))

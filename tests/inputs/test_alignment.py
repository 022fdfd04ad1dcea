"""Spans against both published tables, against the published code's output, and against their properties."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.inputs import InputConfig, Span, cut_segments, normalize_spectrogram, segment_spans
from cavmae_sync.inputs.alignment import finish_segment, segment_span

STARTS = {  # 16 frames on 1024 spectrogram frames
    96: [0, 16, 80, 144, 208, 272, 336, 400, 464, 528, 592, 656, 720, 784, 848, 912],
    192: [0, 0, 32, 96, 160, 224, 288, 352, 416, 480, 544, 608, 672, 736, 800, 832],
    304: [0, 0, 0, 40, 104, 168, 232, 296, 360, 424, 488, 552, 616, 680, 720, 720],
    416: [0, 0, 0, 0, 48, 112, 176, 240, 304, 368, 432, 496, 560, 608, 608, 608],
    512: [0] * 5 + [64, 128, 192, 256, 320, 384, 448, 512, 512, 512, 512],
    624: [0] * 5 + [8, 72, 136, 200, 264, 328, 392, 400, 400, 400, 400],
    720: [0] * 6 + [24, 88, 152, 216, 280] + [304] * 5,
    816: [0] * 7 + [40, 104, 168] + [208] * 6,
    912: [0] * 8 + [56] + [112] * 7,
    1024: [0] * 16,
}
DISTINCT = {96: 16, 192: 15, 304: 13, 416: 11, 512: 9, 624: 9, 720: 7, 816: 5, 912: 3, 1024: 1}


def spans(length: int, *, rows: int = 998, frames: int = 16, align: str = "padded") -> list[Span]:
    config = InputConfig.model_construct(segment_length=length, alignment=align)
    return segment_spans(rows, frame_seconds=range(frames), config=config)


def test_the_windows_of_the_published_model():
    assert [(span.start, span.stop) for span in spans(416)] == [
        *[(0, 416)] * 4,
        *[(48 + 64 * i, 464 + 64 * i) for i in range(9)],
        *[(608, 1024)] * 3,
    ]


def test_the_table_of_starts_for_every_published_length():
    for length, starts in STARTS.items():
        table = spans(length)
        assert [span.start for span in table] == starts
        assert {span.length for span in table} == {length}
        assert len(set(table)) == DISTINCT[length]


def test_ten_frames():
    starts = [0, 54, 157, 259, 362, 464, 566, 669, 771, 874]
    assert [span.start for span in spans(96, frames=10)] == starts


def test_the_windows_equal_those_of_the_published_code(golden):
    cases = golden("map_frame")
    special = {
        "len512_tl416_n16": (512, 416, 16),
        "len300_tl416_n16": (300, 416, 16),
        "len1000_tl417_n16": (1000, 417, 16),
    }
    for name, expected in cases.items():
        rows, length, frames = special.get(name) or (1024, *map(int, name.split("|")))
        ours = spans(length, rows=rows, frames=frames, align="valid")
        assert [[span.start, span.stop] for span in ours] == expected.tolist(), name


def test_a_clip_shorter_than_a_segment_gives_its_whole_length():
    assert set(spans(416, rows=300, align="valid")) == {Span(start=0, stop=300)}
    table = spans(416, rows=500, align="valid")
    assert [table[i] for i in (3, 9, 15)] == [
        Span(start=0, stop=416),
        Span(start=73, stop=489),
        Span(start=84, stop=500),
    ]


def test_five_seconds_of_sound_padded_and_valid():
    """The published rule hears nothing at the end of a short clip; "valid" hears the end of the clip."""
    assert spans(416, rows=498)[15].clipped(498).length == 0
    assert spans(416, rows=498, align="valid")[15] == Span(start=82, stop=498)


rows_of_clips = st.integers(0, 2500)
alignments = st.sampled_from(["padded", "valid"])


@given(rows=rows_of_clips, frames=st.integers(1, 40), patches=st.integers(1, 70), align=alignments)
def test_windows_have_one_length_and_move_forward(rows: int, frames: int, patches: int, align: str):
    total = 1024 if align == "padded" else rows
    table = spans(16 * patches, rows=rows, frames=frames, align=align)
    assert len(table) == frames
    assert {span.length for span in table} == {min(16 * patches, total)}
    assert all(0 <= a.start <= b.start and b.stop <= total for a, b in pairwise(table))


@given(rows=st.integers(1, 2500), frame=st.integers(0, 15), align=alignments)
def test_a_window_is_centred_on_its_frame_unless_it_touches_an_end(rows: int, frame: int, align: str):
    total = 1024 if align == "padded" else rows
    span = spans(96, rows=rows, align=align)[frame]
    if span.start > 0 and span.stop < total:
        assert abs((span.start + 48) - frame * total / 16) <= 0.5


@given(rows=rows_of_clips, frame=st.integers(0, 15), align=alignments, offset=st.integers(-50, 50))
def test_one_span_is_the_same_as_its_place_in_the_list(rows: int, frame: int, align: str, offset: int):
    config = InputConfig(alignment=align)
    one = segment_span(frame, num_spectrogram_frames=rows, frame_seconds=range(16), config=config)
    assert one == spans(416, rows=rows, align=align)[frame]
    moved = segment_span(
        frame, num_spectrogram_frames=rows, frame_seconds=range(16), config=config, center_offset=offset
    )
    assert moved.length == one.length
    assert abs(moved.start - one.start) <= abs(offset)


def numbered_rows(rows: int) -> torch.Tensor:
    return torch.arange(rows, dtype=torch.float32)[:, None].expand(-1, 128)


def test_segments_hold_the_rows_of_their_spans_normalised():
    config = InputConfig()
    segments = cut_segments(
        numbered_rows(998), frame_indices=[0, 8, 15], frame_seconds=range(16), config=config
    )
    assert segments.shape == (3, 416, 128)
    rows = (segments * config.spectrogram_std + config.spectrogram_mean)[:, :, 0]
    assert rows[0] == pytest.approx(torch.arange(0.0, 416.0), abs=1e-3)
    assert rows[1] == pytest.approx(torch.arange(304.0, 720.0), abs=1e-3)
    assert rows[2, :390] == pytest.approx(torch.arange(608.0, 998.0), abs=1e-3)
    assert rows[2, 390:] == pytest.approx(torch.zeros(26), abs=1e-5)


@given(rows=st.integers(1, 1400), frame=st.integers(0, 15), align=alignments)
def test_padding_the_whole_spectrogram_first_gives_the_same(rows: int, frame: int, align: str):
    """The published order: force to 1024 rows, cut, normalise. Ours reads only the rows of the span."""
    config = InputConfig(alignment=align)
    total = 1024 if align == "padded" else rows
    whole = torch.zeros(max(total, 416), 128)
    kept = min(rows, total)
    whole[:kept] = numbered_rows(rows)[:kept]
    start = spans(416, rows=rows, align=align)[frame].start
    expected = normalize_spectrogram(whole[start : start + 416], config=config)
    ours = cut_segments(numbered_rows(rows), frame_indices=[frame], frame_seconds=range(16), config=config)
    assert torch.equal(ours[0], expected)


def test_reading_the_rows_of_one_span_gives_the_same_as_cutting_the_whole_clip():
    config, clip = InputConfig(), numbered_rows(700).to(torch.float16)
    span = segment_span(9, num_spectrogram_frames=700, frame_seconds=range(16), config=config).clipped(700)
    one = finish_segment(clip[span.start : span.stop], span=span, config=config)
    assert torch.equal(one, cut_segments(clip, frame_indices=[9], frame_seconds=range(16), config=config)[0])


def test_a_segment_of_nothing_is_all_padding():
    config = InputConfig()
    segment = finish_segment(torch.zeros(0, 128), span=Span(start=608, stop=1024), config=config)
    assert segment.shape == (416, 128)
    assert segment == pytest.approx(1.1329, abs=1e-4)


def test_bad_arguments_are_refused_with_what_they_were():
    config = InputConfig()
    with pytest.raises(ValueError, match=r"at most 416 rows.*\(417, 128\)"):
        finish_segment(torch.zeros(417, 128), span=Span(start=0, stop=417), config=config)
    with pytest.raises(ValueError, match=r"frame_index must be in \[0, 16\), but got 16"):
        cut_segments(torch.zeros(998, 128), frame_indices=[16], frame_seconds=range(16), config=config)
    with pytest.raises(ValueError, match="num_frames=0"):
        spans(416, frames=0)
    with pytest.raises(ValueError, match="start=5, stop=4"):
        Span(start=5, stop=4)
    with pytest.raises(ValueError, match="at least one frame"):
        cut_segments(torch.zeros(998, 128), frame_indices=[], frame_seconds=range(16), config=config)

"""Segments centred on the times of their frames: by hand, by a search, and at the ends of a clip."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.inputs import InputConfig, Span, cut_segments, log_mel, normalize_spectrogram, segment_spans
from cavmae_sync.inputs.alignment import finish_segment, segment_span
from cavmae_sync.inputs.spectrogram import SILENCE

lengths = st.integers(1, 70).map(lambda patches: 16 * patches)
times = st.floats(0, 60, allow_subnormal=False)


def centered(length: int = 96) -> InputConfig:
    return InputConfig(segment_length=length, alignment="centered")


def span_at(seconds: float, *, length: int = 96, rows: int = 998, offset: int = 0) -> Span:
    return segment_span(
        0,
        frame_seconds=[seconds],
        num_spectrogram_frames=rows,
        config=centered(length),
        center_offset=offset,
    )


def test_the_time_in_the_middle_of_a_span_by_hand():
    """Row 0 is the sound from 0 to 25 ms, rows 0 and 1 together that from 0 to 35 ms."""
    assert Span(start=0, stop=1).center_seconds == pytest.approx(0.0125)
    assert Span(start=0, stop=2).center_seconds == pytest.approx(0.0175)
    assert Span(start=-2, stop=0).center_seconds == pytest.approx(-0.0025)
    assert Span(start=100, stop=196).center_seconds == pytest.approx(1.0 + 0.975 / 2)


def test_spans_by_hand():
    """96 rows from row k on are the sound from 10 k to 10 k + 975 ms, so its middle is at 10 k + 487.5 ms."""
    assert span_at(0.4875) == Span(start=0, stop=96)
    assert span_at(5.0) == Span(start=451, stop=547)  # middle at 4.9975 s; one row later it is 5.0075 s
    assert span_at(0.0) == Span(start=-49, stop=47)
    assert span_at(0.0, length=416) == Span(start=-209, stop=207)
    assert span_at(10.0, length=416) == Span(start=791, stop=1207)


@given(seconds=times, length=lengths)
def test_no_other_span_lies_nearer_to_its_frame(seconds: float, length: int):
    """A second implementation: of all spans, that with the smallest distance."""
    starts = range(-length, 6001)
    off = np.abs([Span(start=start, stop=start + length).center_seconds - seconds for start in starts])
    found = span_at(seconds, length=length)
    assert abs(found.center_seconds - seconds) <= min(float(off.min()) + 1e-9, 0.005 + 1e-9)


@given(seconds=times, length=lengths, rows=st.integers(0, 7000), offset=st.integers(-50, 50))
def test_neither_the_ends_of_the_clip_nor_its_other_frames_move_a_span(
    seconds: float, length: int, rows: int, offset: int
):
    span = span_at(seconds, length=length)
    assert span.length == length
    assert span_at(seconds, length=length, rows=rows) == span
    more = segment_spans(rows, frame_seconds=[0.0, seconds, 61.0], config=centered(length))
    assert more[1] == span
    assert span_at(seconds, length=length, offset=offset) == Span(
        start=span.start + offset, stop=span.stop + offset
    )


def test_every_frame_has_a_span_of_its_own_at_every_published_length():
    """The published rule gives frames near an end the same span: of 16 spans of 4 s, 11 differ."""
    seconds = [10 / 16 * (i + 0.5) for i in range(16)]
    for length in (96, 416, 1024):
        spans = segment_spans(998, frame_seconds=seconds, config=centered(length))
        assert len(set(spans)) == 16
        assert {b.start - a.start for a, b in pairwise(spans)} <= {62, 63}


def test_the_part_of_a_span_that_is_read():
    assert Span(start=-49, stop=47).clipped(998) == Span(start=0, stop=47)
    assert Span(start=960, stop=1056).clipped(998) == Span(start=960, stop=998)
    assert Span(start=-200, stop=-104).clipped(998) == Span(start=0, stop=0)
    assert Span(start=1000, stop=1096).clipped(998) == Span(start=998, stop=998)


@pytest.mark.parametrize("num_rows", [300, 40])
def test_a_segment_holds_its_rows_in_their_place_and_silence_around_them(num_rows: int):
    config, rows_NM = centered(), torch.arange(float(num_rows))[:, None].expand(-1, 128)
    segments = cut_segments(rows_NM, frame_seconds=[0.0, num_rows / 100], config=config)
    values = segments[:, :, 0] * config.spectrogram_std + config.spectrogram_mean
    kept = min(num_rows, 47)
    assert values[0, :49] == pytest.approx(torch.full((49,), SILENCE), abs=1e-4)
    assert values[0, 49 : 49 + kept] == pytest.approx(torch.arange(float(kept)), abs=1e-4)
    first = num_rows - 49  # row of the span that ends the clip; 49 rows of it lie in the clip, or fewer
    kept = min(num_rows, 49)
    assert values[1, 49 - kept : 49] == pytest.approx(torch.arange(float(max(first, 0)), num_rows), abs=1e-4)
    assert values[1, 49:] == pytest.approx(torch.full((47,), SILENCE), abs=1e-4)


def test_silence_is_what_the_log_mel_of_no_sound_is():
    quiet = log_mel(torch.zeros(16_000))
    assert quiet.min() == quiet.max() == pytest.approx(SILENCE, abs=1e-6)
    nothing = finish_segment(torch.zeros(0, 128), span=Span(start=-300, stop=-204), config=centered())
    assert torch.equal(nothing, normalize_spectrogram(quiet[:96], config=centered()))
    assert nothing.unique() == pytest.approx(-2.42, abs=0.01)


@pytest.mark.parametrize("length", [96, 416])
def test_a_segment_is_that_of_the_clip_between_seconds_of_silence(length: int):
    """Only rows that begin less than 25 ms before an end of the clip differ: their sound is cut there."""
    generator = torch.Generator().manual_seed(0)
    waveform_S = torch.rand(32_000, generator=generator) - 0.5
    waveform_S -= waveform_S.mean()
    silence_S = torch.zeros(6 * 16_000)
    seconds = torch.linspace(0, 2, 9, dtype=torch.float64)
    config = centered(length)
    ours = cut_segments(log_mel(waveform_S), frame_seconds=seconds.tolist(), config=config)
    around = log_mel(torch.cat([silence_S, waveform_S, silence_S]))
    whole = cut_segments(around, frame_seconds=(seconds + 6).tolist(), config=config)
    apart = (ours - whole).abs().amax(dim=2)
    for segment, place in zip(apart, seconds.tolist(), strict=True):
        starts = 10 * np.arange(length) + 1000 * place - 5 * length  # of the rows, milliseconds, within 10
        crosses = ((starts > -40) & (starts < 15)) | ((starts > 2000 - 40) & (starts < 2000 + 15))
        assert segment[torch.from_numpy(~crosses)].max() < 1e-4


def test_rows_that_do_not_fit_their_span_are_refused():
    with pytest.raises(ValueError, match=r"at most 96 rows.*\(60, 128\).*start=-49"):
        finish_segment(torch.zeros(60, 128), span=Span(start=-49, stop=47), config=centered())


def test_the_old_name_of_the_field_is_read():
    for rule in ("padded", "valid"):
        assert InputConfig.model_validate({"align_length": rule}) == InputConfig(alignment=rule)
        assert InputConfig.model_validate_json(f'{{"align_length": "{rule}"}}').alignment == rule
    with pytest.raises(ValueError, match="align_length"):
        InputConfig.model_validate({"align_length": "valid", "alignment": "padded"})

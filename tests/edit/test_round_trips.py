"""Round trips of every format at every rate: by readers of the tests, and by OpenTimelineIO's where right.

What is wrong in the readers of OpenTimelineIO 0.18.1 (`otio-cmx3600-adapter` 1.0.0) is pinned at the end:
when a version mends it, the test says so.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio
import pytest

from cavmae_sync.edit import (
    EditMoment,
    EditSequence,
    EditSource,
    ExportOptions,
    SequenceOptions,
    export,
    make_sequence,
)

from .made import RATES
from .readers import Clip, path_of, read_csv, read_edl, read_fcp7, read_fcpxml, read_markers

TITLE = "Round trip"


def moments_of(source: EditSource) -> list[EditMoment]:
    """Three moments that overlap; none begins at the border of a frame."""
    return [
        EditMoment(source=source, start_seconds=0.105, stop_seconds=0.311, name="first", content="ab" * 32),
        EditMoment(source=source, start_seconds=0.2, stop_seconds=0.6, name="second", note="a note"),
        EditMoment(source=source, start_seconds=0.0, stop_seconds=0.01, name="one frame"),
    ]


def expected(sequence: EditSequence) -> list[Clip]:
    return [
        Clip(
            event.name,
            event.source_start.frame + event.first,
            event.source_start.frame + event.stop,
            sequence.start.frame + event.record_first,
            sequence.start.frame + event.record_stop,
        )
        for event in sequence.events
    ]


@pytest.fixture(params=list(RATES))
def case(request: Any, sources: dict[str, EditSource]) -> tuple[str, list[EditMoment], EditSequence]:
    moments = moments_of(sources[request.param])
    return request.param, moments, make_sequence(moments, title=TITLE)


def test_the_frames_are_those_of_the_times(case):
    """By another way: the start of a frame is not after the moment, the next one is, up to a millisecond."""
    name, moments, sequence = case
    rate, text = RATES[name]
    assert sequence.rate == rate
    assert sequence.start.is_drop == (";" in text)
    for moment, event in zip(moments, sequence.events, strict=True):
        start, stop = Fraction(moment.start_seconds), Fraction(moment.stop_seconds)
        slack = Fraction(1, 1000)
        assert event.first / rate <= start + slack < (event.first + 1) / rate
        assert (event.stop - 1) / rate < stop - slack <= event.stop / rate
        assert event.stop - event.first == event.record_stop - event.record_first


def test_fcp7(case):
    _, moments, sequence = case
    made, clips, links = read_fcp7(export(moments, "fcp7", title=TITLE))
    assert clips == expected(sequence)
    assert made.findtext("./timecode/string") == str(sequence.start)
    assert made.findtext("./timecode/displayformat") == ("DF" if sequence.start.is_drop else "NDF")
    assert made.findtext("./rate/timebase") == str(round(sequence.rate))
    assert made.findtext("./rate/ntsc") == ("TRUE" if sequence.rate.denominator == 1001 else "FALSE")
    # A picture and two channels each, all linked with each other.
    assert len(links) == 3 * len(moments)
    for number in (1, 2, 3):
        whole = [("video", 1, number), ("audio", 1, number), ("audio", 2, number)]
        parts = ("video", "audio-1", "audio-2")
        assert all(links[f"clipitem-{number}-{part}"] == whole for part in parts)
    files = [file for file in made.iter("file") if len(file)]
    assert len(files) == 1
    assert path_of(files[0].findtext("pathurl")) == str(moments[0].source.path)
    assert files[0].findtext("./timecode/string") == str(moments[0].source.timecode)


def clips_of_otio(timeline: otio.schema.Timeline, track: int, start: int) -> list[Clip]:
    found = []
    for clip in timeline.tracks[track]:
        chosen, placed = clip.source_range, clip.range_in_parent()
        record = start + placed.start_time.value
        found.append(
            Clip(
                clip.name,
                chosen.start_time.value,
                chosen.end_time_exclusive().value,
                record,
                record + placed.duration.value,
            )
        )
    return found


@pytest.mark.parametrize("format_", ["fcp7", "otio"])
def test_by_the_readers_of_opentimelineio(case, format_: str):
    _, moments, sequence = case
    text = export(moments, format_, title=TITLE).decode()
    timeline = otio.adapters.read_from_string(text, {"fcp7": "fcp_xml", "otio": "otio_json"}[format_])
    assert timeline.name == TITLE
    # The reader of FCP7 rounds the rate of the start to two decimals; the frame is right.
    assert timeline.global_start_time.value == sequence.start.frame
    for track in range(len(timeline.tracks)):
        assert clips_of_otio(timeline, track, sequence.start.frame) == expected(sequence)
    for event, clip in zip(sequence.events, timeline.tracks[0], strict=True):
        assert clip.source_range.start_time.rate == pytest.approx(float(event.rate), abs=1e-9)
        assert clip.media_reference.available_range.start_time.value == event.source_start.frame
        assert path_of(clip.media_reference.target_url) == str(event.source.path)
        assert clip.markers[0].name == event.name
        assert clip.markers[0].marked_range.duration.value == event.stop - event.first
    assert len(timeline.tracks) == {"fcp7": 3, "otio": 2}[format_]
    assert [track.kind for track in timeline.tracks][:2] == ["Video", "Audio"]


def test_otio_links_picture_and_sound(case):
    _, moments, _ = case
    timeline = otio.adapters.read_from_string(export(moments, "otio", title=TITLE).decode(), "otio_json")
    groups = [[clip.metadata["Resolve_OTIO"]["Link Group ID"] for clip in track] for track in timeline.tracks]
    assert groups == [[1, 2, 3], [1, 2, 3]]
    assert timeline.tracks[0][0].metadata["cavmae_sync"]["content_sha256"] == "ab" * 32


def test_fcpxml(case):
    _, moments, sequence = case
    made, clips, elements = read_fcpxml(export(moments, "fcpxml", title=TITLE))
    assert clips == expected(sequence)
    assert made.get("tcFormat") == ("DF" if sequence.start.is_drop else "NDF")
    assert made.get("audioLayout") == "stereo"
    assert [clip.get("tcFormat") for clip in elements] == [made.get("tcFormat")] * 3
    # The order that the definition of the format asks for.
    assert [each.tag for each in elements[1]] == ["note", "marker"]
    assert [each.tag for each in elements[0]] == ["marker", "metadata"]


def test_cmx3600(case):
    name, moments, sequence = case
    rate, _ = RATES[name]
    head, clips = read_edl(export(moments, "edl", title=TITLE), [rate] * 3, rate)
    assert head == {"TITLE": TITLE, "FCM": "DROP FRAME" if sequence.start.is_drop else "NON-DROP FRAME"}
    at_midnight = [clip.source_out < clip.source_in for clip in clips]
    day = 24 * 3600 * round(rate)
    wrapped = [
        Clip(c.name, c.source_in % day, c.source_out % day, c.record_in, c.record_out)
        for c in expected(sequence)
    ]
    assert clips == (wrapped if name == "50" else expected(sequence))
    assert any(at_midnight) == (name == "50")


def test_markers_in_the_file_and_in_the_sequence(case):
    name, moments, sequence = case
    rate, text = RATES[name]
    mode = "DROP FRAME" if ";" in text else "NON-DROP FRAME"
    head, markers = read_markers(export(moments, "resolve-edl", title=TITLE), rate)
    assert head["FCM"] == mode
    in_order = sorted(sequence.events, key=lambda event: event.first)
    day = 24 * 3600 * round(rate) if name == "50" else 10**9
    assert markers == [
        (e.name, e.note, (e.source_start.frame + e.first) % day, e.stop - e.first) for e in in_order
    ]
    options = ExportOptions(markers_on="sequence")
    head, markers = read_markers(export(moments, "resolve-edl", title=TITLE, options=options), rate)
    assert head["FCM"] == mode
    places = [(clip.record_in, clip.record_out - clip.record_in) for clip in expected(sequence)]
    assert [(marker[2], marker[3]) for marker in markers] == places


def test_csv(case):
    name, moments, sequence = case
    rows = read_csv(export(moments, "csv", title=TITLE))
    for row, event, moment in zip(rows, sequence.events, moments, strict=True):
        assert Fraction(row["rate"]) == RATES[name][0]
        assert (int(row["in_frame"]), int(row["out_frame"])) == (event.first, event.stop)
        assert row["in_timecode"] == str(event.source_in)
        assert float(row["start_seconds"]) == moment.start_seconds
        assert path_of(row["url"]) == row["file"] == str(moment.source.path)
        assert row["content_sha256"] == (moment.content or "")
        assert row["timecode_format"] == ("DF" if event.source_start.is_drop else "NDF")


def test_several_rates_in_one_sequence(sources: dict[str, EditSource]):
    """Each file keeps its rate; the sequence has that of the first, or another."""
    names = ["25", "29.97df", "23.976", "60"]
    moments = [
        EditMoment(source=sources[name], start_seconds=0.1, stop_seconds=0.5, name=name) for name in names
    ]
    for options in (SequenceOptions(), SequenceOptions(rate=Fraction(30000, 1001), is_drop=True)):
        sequence = make_sequence(moments, title=TITLE, options=options)
        assert sequence.rate == (options.rate or 25)
        for event in sequence.events:
            exact = (event.stop - event.first) / event.rate * sequence.rate
            assert abs(event.record_stop - event.record_first - exact) <= Fraction(1, 2)
        export_options = ExportOptions(sequence=options)
        want = expected(sequence)
        rates = [RATES[name][0] for name in names]
        assert read_fcp7(export(moments, "fcp7", title=TITLE, options=export_options))[1] == want
        _, clips, elements = read_fcpxml(export(moments, "fcpxml", title=TITLE, options=export_options))
        assert clips == want
        edl = export(moments, "edl", title=TITLE, options=export_options)
        assert read_edl(edl, rates, sequence.rate)[1] == want
        conformed = [element.find("conform-rate") is not None for element in elements]
        assert conformed == [rate != sequence.rate for rate in rates]
        assert edl.decode().count("* SOURCE FRAME RATE: ") == sum(conformed)


def test_tracks_of_otio_stay_in_step(sources: dict[str, EditSource]):
    """A silent clip of another rate leaves a gap of its own length on the track of sounds."""
    silent = replace(sources["25"], num_channels=0, sample_rate_hz=None)
    moments = [
        EditMoment(source=source, start_seconds=0.1, stop_seconds=0.5)
        for source in (sources["29.97df"], silent, sources["29.97df"])
    ]
    timeline = otio.adapters.read_from_string(export(moments, "otio", title=TITLE).decode(), "otio_json")
    starts = [[item.range_in_parent().start_time.to_seconds() for item in track] for track in timeline.tracks]
    assert starts[0] == starts[1]
    assert isinstance(timeline.tracks[1][1], otio.schema.Gap)


# What is wrong in the readers of OpenTimelineIO.


@pytest.mark.parametrize("name", [name for name in RATES if name != "50"])
def test_opentimelineio_reads_ranges_of_the_edl(sources: dict[str, EditSource], name: str):
    moments = moments_of(sources[name])
    sequence = make_sequence(moments, title=TITLE)
    edl = export(moments, "edl", title=TITLE).decode()
    timeline = otio.adapters.read_from_string(edl, "cmx_3600", rate=float(sequence.rate))
    assert [track.name for track in timeline.tracks] == ["V", "A1", "A2"]
    for track in range(3):
        assert clips_of_otio(timeline, track, sequence.start.frame) == expected(sequence)
    # Markers have no length there, and are lost in drop frame.
    markers = [len(clip.markers) for clip in timeline.tracks[0]]
    assert markers == ([0, 0, 0] if sequence.start.is_drop else [1, 1, 1])


def test_opentimelineio_refuses_a_moment_over_midnight(sources: dict[str, EditSource]):
    edl = export(moments_of(sources["50"]), "edl", title=TITLE).decode()
    with pytest.raises(Exception, match="duration don't match"):
        otio.adapters.read_from_string(edl, "cmx_3600", rate=50)


@pytest.mark.parametrize("name", ["23.976", "29.97df", "59.94ndf"])
def test_opentimelineio_refuses_rates_as_decimals(sources: dict[str, EditSource], name: str):
    edl = export(moments_of(sources[name]), "edl", title=TITLE).decode()
    with pytest.raises(ValueError, match="does not support this rate"):
        otio.adapters.read_from_string(edl, "cmx_3600", rate=round(float(RATES[name][0]), 3))

"""Exports: golden files, names of strangers, what a format cannot hold."""

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from cavmae_sync.edit import (
    FORMATS,
    EditMoment,
    EditSource,
    ExportOptions,
    SequenceOptions,
    export,
    format_of,
)
from cavmae_sync.edit.names import file_url, one_line, reel_names, safe_file_name, table_cell
from cavmae_sync.errors import ConfigError

from .golden_case import NAMES, content, golden_file, moments
from .readers import path_of, read_csv, read_edl, read_fcp7, read_fcpxml, read_markers

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize("name", NAMES)
def test_golden_files(name: str):
    """Where a change is meant: `python -m tests.edit.golden_case`, and look at the difference."""
    assert content(name).decode() == golden_file(name).read_text("utf-8")


def test_golden_files_hold_what_was_worked_out_by_hand():
    """119 s at 29.97 are 3566 frames; 00:58:00;02 is frame 104,296 of drop frame."""
    head, clips = read_edl(content("edl"), [NTSC, Fraction(25), Fraction(24000, 1001), NTSC, NTSC], NTSC)
    assert head["FCM"] == "DROP FRAME"
    start = 58 * 1800 - 2 * (58 - 5) + 2
    assert (clips[0].source_in, clips[0].source_out) == (start + 3566, start + 3672)
    assert [clip.record_out - clip.record_in for clip in clips] == [106, 30, 30, 61, 1]
    # A recorder that began at one o'clock exactly, seen in drop frame, which keeps up with the clock.
    assert "01:00:01;29 01:00:04;00" in content("edl").decode()
    assert read_fcpxml(content("fcpxml"))[1] == clips
    assert read_fcp7(content("fcp7"))[1] == [clips[0], clips[1], clips[2], clips[4]]  # its track of pictures


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_a_list(name: str):
    text = content(name).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ufffe]", text)
    if name in ("fcp7", "fcpxml"):
        assert [each.tag for each in ET.fromstring(text)] != []


def test_every_file_can_be_found_again():
    paths = [str(moment.source.path) for moment in moments()]
    assert [path_of(row["url"]) for row in read_csv(content("csv"))] == paths
    fcp7 = ET.fromstring(content("fcp7"))
    assert {path_of(each.text) for each in fcp7.iter("pathurl")} == set(paths)
    fcpxml = ET.fromstring(content("fcpxml"))
    assert {path_of(each.get("src")) for each in fcpxml.iter("media-rep")} == set(paths)


def test_no_cell_is_a_formula():
    for row in read_csv(content("csv")):
        for name, cell in row.items():
            is_number = re.fullmatch(r"-?\d+(\.\d+)?", cell)
            assert cell[:1] not in tuple("=+-@\t\r") or is_number, (name, cell)
    assert table_cell("  =1") == "'  =1"
    assert table_cell("\t=1") == "\\t=1"


def test_names_of_files_that_are_no_text():
    path = Path("/footage") / b"caf\xe9.mov".decode("utf-8", "surrogateescape")
    source = EditSource(
        path=path, rate=Fraction(25), num_frames=50, width=64, height=48, duration_seconds=2.0
    )
    moment = EditMoment(source=source, start_seconds=0.0, stop_seconds=1.0)
    assert file_url(path) == "file:///footage/caf%E9.mov"
    for name in NAMES:
        assert b"caf" in export([moment], name, title="t")


def test_reels_differ_and_are_not_names_of_other_things():
    paths = [
        Path(name)
        for name in ("a/clip_0001_long.mov", "b/clip_0001_long.mov", "bl.mov", "ß–.mov", "日本.mov")
    ]
    names = list(reel_names(paths).values())
    assert names == ["CLIP0001", "CLIP0002", "BL2", "SS", "REEL"]
    many = list(reel_names(Path(f"{i}/same name.mov") for i in range(1200)).values())
    assert len(set(many)) == 1200
    assert all(re.fullmatch("[A-Z0-9]{1,8}", name) for name in many)


def test_safe_names():
    assert safe_file_name("a/b\\c\x00:d") == "a_b_c_d"
    assert safe_file_name("...") == "_"
    assert safe_file_name("COM1.mov") == "_COM1.mov"
    assert safe_file_name("-rf") == "rf"
    assert len(safe_file_name("x" * 300)) == 80
    assert one_line("a\u200db") == "a\u200db"


def test_formats_by_ending():
    assert [format_of(Path(f"a{each.suffix}")) for each in FORMATS.values()] == [
        "otio", "fcp7", "fcpxml", "edl", "edl", "csv", "html",
    ]  # fmt: skip
    assert format_of(Path("A.EDL"), "resolve-edl") == "resolve-edl"
    with pytest.raises(ConfigError, match=r"must end in \.otio, \.xml, \.fcpxml, \.edl, \.csv, \.html"):
        format_of(Path("a.txt"))
    with pytest.raises(ConfigError, match=r"must end in \.edl:"):
        format_of(Path("a.csv"), "resolve-edl")
    with pytest.raises(ConfigError, match="no format 'aaf'"):
        format_of(Path("a.aaf"), "aaf")


def test_what_a_format_cannot_hold_is_said():
    one = moments()[0]
    with pytest.raises(ConfigError, match="no moment to export"):
        export([], "edl", title="t")
    with pytest.raises(ConfigError, match="no format"):
        export([one], "aaf", title="t")
    for name in ("edl", "resolve-edl"):
        with pytest.raises(ConfigError, match="holds 999 events, and these are 1000"):
            export([one] * 1000, name, title="t")
    with pytest.raises(ConfigError, match="cannot be markers of one"):
        export(moments(), "resolve-edl", title="t", options=ExportOptions(markers_on="file"))
    for options, said in (
        (SequenceOptions(rate=Fraction(25), is_drop=True), "no drop frame timecode at 25"),
        (SequenceOptions(rate=Fraction(37, 3)), "no timecode at 37/3"),
        (SequenceOptions(start="1:00"), "no timecode"),
        (SequenceOptions(start="01:01:00:00", is_drop=True), "leaves this number out"),
    ):
        with pytest.raises(ConfigError, match=said):
            export([one], "fcp7", title="t", options=ExportOptions(sequence=options))


def test_sound_alone_takes_25_or_the_rate_that_is_asked_for():
    recorder = moments()[3]
    _, clips = read_edl(export([recorder], "edl", title="t"), [Fraction(25)], Fraction(25))
    assert (clips[0].source_in, clips[0].source_out) == (90_050, 90_100)
    options = ExportOptions(sequence=SequenceOptions(rate=Fraction(24)))
    _, clips = read_edl(export([recorder], "edl", title="t", options=options), [Fraction(24)], Fraction(24))
    assert (clips[0].source_in, clips[0].source_out) == (86_448, 86_496)
    sequence = ET.fromstring(export([recorder], "fcp7", title="t")).find("sequence")
    assert sequence.find("./media/video") is None


def test_markers_keep_what_they_say():
    one = replace(moments()[0], name="a|b", note="2 dogs | bark")
    _, markers = read_markers(export([one], "resolve-edl", title="t"), NTSC)
    assert markers[0][:2] == ("a/b", "- 2 dogs / bark")


def test_without_opentimelineio_the_way_out_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(ConfigError, match=r"pip install 'cavmae-sync\[edit\]'"):
        export(moments(), "otio", title="t")
    assert export(moments(), "fcp7", title="t")  # written without it

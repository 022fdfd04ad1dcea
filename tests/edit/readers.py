"""Readers of exports, written for the tests alone: each gives clips in frames of their own rates.

They are not OpenTimelineIO's and share no code with the writers. Timecode is counted by walking: one number
after the other, as a counter on a wall would, so that no formula of the writers is repeated.
"""

import csv
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Clip:
    """A clip as a list has it; numbers are frames: in the file counted from 00:00:00:00 of its timecode."""

    name: str
    source_in: int
    source_out: int
    record_in: int
    record_out: int


@cache
def all_numbers(whole: int, is_drop: bool) -> dict[str, int]:
    """Every timecode of the first 62 minutes, with its frame."""
    dropped = {30: 2, 60: 4}.get(whole, 0) if is_drop else 0
    mark = ";" if is_drop else ":"
    numbers: dict[str, int] = {}
    frame = 0
    for minute in range(62):
        for second in range(60):
            for number in range(whole):
                if second == 0 and number < dropped and minute % 10:
                    continue
                numbers[f"{minute // 60:02d}:{minute % 60:02d}:{second:02d}{mark}{number:02d}"] = frame
                frame += 1
    return numbers


def frame_of(text: str, rate: Fraction) -> int:
    """Frame of a timecode."""
    whole, is_drop = round(rate), ";" in text
    known = all_numbers(whole, is_drop)
    if text in known:
        return known[text]
    hour, minute, second, frame = map(int, re.split("[:;]", text))
    assert not is_drop
    return ((hour * 60 + minute) * 60 + second) * whole + frame


def read_edl(
    content: bytes, rates: list[Fraction], record_rate: Fraction
) -> tuple[dict[str, str], list[Clip]]:
    """Head and clips of a CMX3600 list."""
    lines = content.decode().splitlines()
    head = dict(line.split(": ", 1) for line in lines[:2])
    clips: list[Clip] = []
    for i, line in enumerate(lines):
        found = re.fullmatch(r"(\d{3})  ([A-Z0-9]{1,8}) +(\S+) +C +(\S+) (\S+) (\S+) (\S+)", line)
        if found is None:
            continue
        assert int(found[1]) == len(clips) + 1
        assert lines[i + 1].startswith("* FROM CLIP NAME: ")
        rate = rates[len(clips)]
        clips.append(
            Clip(
                lines[i + 1].removeprefix("* FROM CLIP NAME: "),
                frame_of(found[4], rate),
                frame_of(found[5], rate),
                frame_of(found[6], record_rate),
                frame_of(found[7], record_rate),
            )
        )
    return head, clips


def read_markers(content: bytes, rate: Fraction) -> tuple[dict[str, str], list[tuple[str, str, int, int]]]:
    """Head of a list of markers, and for each name, note, first frame and length."""
    lines = content.decode().splitlines()
    markers = []
    for i, line in enumerate(lines):
        found = re.fullmatch(r"\d{3}  001      V     C        (\S+) (\S+) (\S+) (\S+) *", line)
        if found is not None:
            tags = re.fullmatch(r"(.*?) ?\|C:ResolveColorBlue \|M:(.*) \|D:(\d+)", lines[i + 1])
            assert tags is not None
            assert frame_of(found[2], rate) == frame_of(found[1], rate) + 1
            markers.append((tags[2], tags[1], frame_of(found[3], rate), int(tags[3])))
    return dict(line.split(": ", 1) for line in lines[:2]), markers


def seconds_of(text: str) -> Fraction:
    """Time of FCPXML."""
    assert text.endswith("s")
    return Fraction(text[:-1])


def read_fcpxml(content: bytes) -> tuple[ET.Element, list[Clip], list[ET.Element]]:
    """Sequence, clips, and the elements of these. Every time must be a whole number of frames."""
    root = ET.fromstring(content)
    held = {each.get("id"): each for each in root.find("resources") or ()}
    sequence = root.find("./library/event/project/sequence")
    assert sequence is not None
    record = seconds_of(held[sequence.get("format")].get("frameDuration"))
    clips, elements = [], list(sequence.find("spine") or ())
    for clip in elements:
        asset = held[clip.get("ref")]
        own = held.get(clip.get("format"))
        step = record if own is None else seconds_of(own.get("frameDuration"))
        marker = clip.find("marker")
        assert marker is not None
        assert marker.get("start") == clip.get("start")
        start, length = seconds_of(clip.get("start")), seconds_of(marker.get("duration"))
        offset, duration = seconds_of(clip.get("offset")), seconds_of(clip.get("duration"))
        assert start >= seconds_of(asset.get("start"))
        assert start + length <= seconds_of(asset.get("start")) + seconds_of(asset.get("duration")) + step
        frames = [start / step, (start + length) / step, offset / record, (offset + duration) / record]
        assert all(frame.denominator == 1 for frame in frames)
        clips.append(Clip(clip.get("name"), *map(int, frames)))
    assert seconds_of(sequence.get("duration")) / record == clips[-1].record_out - clips[0].record_in
    return sequence, clips, elements


def read_fcp7(content: bytes) -> tuple[ET.Element, list[Clip], dict[str, list[tuple[str, int, int]]]]:
    """Sequence, clips of its first track, and for each clip what it is linked to: kind, track, place."""
    sequence = ET.fromstring(content).find("sequence")
    assert sequence is not None
    files = {file.get("id"): file for file in sequence.iter("file") if len(file)}
    zero = int(sequence.findtext("./timecode/frame"))
    tracks = {
        (kind, i): list(track.iterfind("clipitem"))
        for kind in ("video", "audio")
        for i, track in enumerate(sequence.iterfind(f"./media/{kind}/track"), start=1)
    }
    links: dict[str, list[tuple[str, int, int]]] = {}
    for clips in tracks.values():
        for clip in clips:
            found = []
            for link in clip.iterfind("link"):
                place = int(link.findtext("trackindex")), int(link.findtext("clipindex"))
                at = link.findtext("mediatype"), *place
                assert tracks[at[0], at[1]][at[2] - 1].get("id") == link.findtext("linkclipref")
                found.append(at)
            links[clip.get("id")] = found
    read = []
    for clip in next(iter(tracks.values())):
        start = int(files[clip.find("file").get("id")].findtext("./timecode/frame"))
        at = {name: int(clip.findtext(name)) for name in ("in", "out", "start", "end")}
        read.append(
            Clip(
                clip.findtext("name"),
                start + at["in"],
                start + at["out"],
                zero + at["start"],
                zero + at["end"],
            )
        )
    return sequence, read, links


def path_of(url: str) -> str:
    """Path of a file URL."""
    assert urlsplit(url).scheme == "file"
    return unquote(urlsplit(url).path, errors="surrogateescape")


def read_csv(content: bytes) -> list[dict[str, str]]:
    """Rows of a table."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))

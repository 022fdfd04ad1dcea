"""Edit decision lists: CMX3600, and the form in which DaVinci Resolve takes markers."""

import re
from typing import Final, Literal

from cavmae_sync.edit.names import one_line, reel_names
from cavmae_sync.edit.sequence import EditSequence, Event
from cavmae_sync.edit.timecode import Timecode
from cavmae_sync.errors import ConfigError
from cavmae_sync.safe_text import escape_line

#: Events of a list: their numbers have three digits.
MOST_EVENTS: Final = 999
_TITLE_LETTERS: Final = 70
#: Where markers stand: in the sequence of all moments, or in their file.
MarkersOn = Literal["sequence", "file"]


def cmx3600_file(sequence: EditSequence) -> bytes:
    """CMX3600 list of a sequence. Timecode of a file is that of its own rate.

    Raises:
        ConfigError: There are more than 999 moments.
    """
    _check_number(len(sequence.events))
    reels = reel_names(event.source.path for event in sequence.events)
    lines = _head(sequence.title, sequence.start)
    for event in sequence.events:
        places = (
            f"{event.source_in} {event.source_out} {sequence.record_in(event)} {sequence.record_out(event)}"
        )
        reel = reels[event.source.path]
        lines.append(f"{event.number:03d}  {reel:<8} {_channels(event):<5} C        {places}")
        lines.append(f"* FROM CLIP NAME: {event.name}")
        lines.append(f"* SOURCE FILE: {escape_line(str(event.source.path))}")
        if event.rate != sequence.rate:
            lines.append(f"* SOURCE FRAME RATE: {event.rate}")
        lines.append(f"* LOC: {sequence.record_in(event)} BLUE    {event.name}")
        lines += [f"* COMMENT: {event.note}"] if event.note else []
        lines += [f"* SHA-256: {event.moment.content}"] if event.moment.content is not None else []
        lines.append("")
    return "\n".join(lines).encode("utf-8", "replace")


def marker_file(sequence: EditSequence, *, markers_on: MarkersOn | None = None) -> bytes:
    """List that Resolve imports as markers of a timeline ("Timeline Markers from EDL").

    Args:
        sequence: The moments.
        markers_on: "file" puts markers where the moments are in their file, for a timeline that begins with
            it and has its timecode; "sequence" puts them where they are in the sequence of the other
            formats. None takes the file, where all moments are of one.

    Raises:
        ConfigError: There are more than 999 moments, or they are of several files and "file" is asked for.
    """
    _check_number(len(sequence.events))
    is_one = len(sequence.sources()) == 1
    if markers_on == "file" and not is_one:
        raise ConfigError(
            f"Moments of {len(sequence.sources())} files cannot be markers of one. Export those of one file, "
            "or put the markers on the sequence."
        )
    if markers_on == "file" or (markers_on is None and is_one):
        event = sequence.events[0]
        ordered = sorted(sequence.events, key=lambda each: each.first)
        places = [(each, each.source_in, each.stop - each.first) for each in ordered]
        lines = _head(sequence.title, event.source_start)
    else:
        places = [
            (each, sequence.record_in(each), each.record_stop - each.record_first) for each in sequence.events
        ]
        lines = _head(sequence.title, sequence.start)
    for number, (event, place, length) in enumerate(places, start=1):
        span = f"{place} {place.later(1)}"
        lines.append(f"{number:03d}  001      V     C        {span} {span}  ")
        lines.append(f"{_marker_note(event)} |C:ResolveColorBlue |M:{_without_bars(event.name)} |D:{length}")
        lines.append("")
    return "\n".join(lines).encode("utf-8", "replace")


def _check_number(num_events: int) -> None:
    if num_events > MOST_EVENTS:
        raise ConfigError(
            f"An EDL holds {MOST_EVENTS} events, and these are {num_events}. Choose fewer, or another format."
        )


def _head(title: str, start: Timecode) -> list[str]:
    mode = "DROP FRAME" if start.is_drop else "NON-DROP FRAME"
    return [f"TITLE: {one_line(title)[:_TITLE_LETTERS]}", f"FCM: {mode}", ""]


def _channels(event: Event) -> str:
    """Channels of an event: picture with one or two channels of sound."""
    num_channels = event.source.num_channels
    if not event.source.has_video:
        return "A" if num_channels == 1 else "AA"
    return ("V", "B")[num_channels] if num_channels < 2 else "AA/V"


def _without_bars(text: str) -> str:
    return text.replace("|", "/")


def _marker_note(event: Event) -> str:
    """Note before the tags; a digit at its start would be taken for the number of an event."""
    note = _without_bars(event.note)
    return f"- {note}" if re.match(r"[\d*]", note) else note

"""Final Cut Pro 7 XML, which Premiere Pro, DaVinci Resolve and others read: picture and sound linked.

Each channel of sound has a track of its own, as that program had it.
"""

from fractions import Fraction
from xml.etree.ElementTree import Element

from cavmae_sync.edit.names import file_url
from cavmae_sync.edit.sequence import EditSequence, Event
from cavmae_sync.edit.timecode import Timecode, counts_in
from cavmae_sync.edit.xml_text import add, document

#: A part of a moment on a track: "video", or a channel of its sound from 1.
_Part = int


def fcp7_file(sequence: EditSequence) -> bytes:
    """FCP7 XML file of a sequence."""
    root = Element("xmeml", version="5")
    made = add(root, "sequence", id="sequence-1")
    add(made, "name", sequence.title)
    add(made, "duration", sequence.length)
    _rate(made, sequence.rate)
    _timecode(made, sequence.start)
    media = add(made, "media")
    writer = _Writer(sequence)
    if sequence.has_video:
        video = add(media, "video")
        shape = add(add(video, "format"), "samplecharacteristics")
        _rate(shape, sequence.rate)
        _pixels(shape, sequence.width, sequence.height)
        writer.add_track(video, 0)
    if sequence.num_channels:
        audio = add(media, "audio")
        add(audio, "numOutputChannels", max(2, sequence.num_channels))
        shape = add(add(audio, "format"), "samplecharacteristics")
        add(shape, "depth", 16)
        add(shape, "samplerate", sequence.sample_rate_hz)
        for channel in range(1, sequence.num_channels + 1):
            writer.add_track(audio, channel)
    return document(root, "xmeml")


class _Writer:
    """Tracks of a sequence. A file is described where it is first named, and later only named."""

    def __init__(self, sequence: EditSequence) -> None:
        self._sequence = sequence
        self._files = {path: f"file-{i}" for i, path in enumerate(sequence.sources(), start=1)}
        self._described: set[str] = set()
        # Place of each part of each moment in its track, from 1.
        self._places: dict[tuple[int, _Part], int] = {}
        for part in range(sequence.num_channels + 1):
            holders = [event for event in sequence.events if part in _parts(event)]
            self._places.update({(event.number, part): i for i, event in enumerate(holders, start=1)})

    def add_track(self, parent: Element, part: _Part) -> None:
        """Add the track of pictures (0) or of a channel."""
        track = add(parent, "track")
        for event in self._sequence.events:
            if part in _parts(event):
                self._add_clip(track, event, part)
        add(track, "enabled", "TRUE")
        add(track, "locked", "FALSE")
        if part:
            add(track, "outputchannelindex", part)

    def _add_clip(self, track: Element, event: Event, part: _Part) -> None:
        clip = add(track, "clipitem", id=_clip_id(event, part))
        add(clip, "masterclipid", f"master{self._files[event.source.path]}")
        add(clip, "name", event.name)
        add(clip, "enabled", "TRUE")
        add(clip, "duration", event.length)
        _rate(clip, event.rate)
        add(clip, "start", event.record_first)
        add(clip, "end", event.record_stop)
        add(clip, "in", event.first)
        add(clip, "out", event.stop)
        self._add_file(clip, event)
        if part:
            source = add(clip, "sourcetrack")
            add(source, "mediatype", "audio")
            add(source, "trackindex", part)
        if part == _parts(event)[0]:
            marker = add(clip, "marker")
            add(marker, "name", event.name)
            add(marker, "comment", event.note)
            add(marker, "in", event.first)
            add(marker, "out", event.stop)
        if len(_parts(event)) > 1:
            for other in _parts(event):
                self._add_link(clip, event, other)
        if event.note:
            add(add(clip, "logginginfo"), "lognote", event.note)
        if event.moment.content is not None:
            add(add(clip, "comments"), "mastercomment1", f"SHA-256 {event.moment.content}")

    def _add_link(self, clip: Element, event: Event, part: _Part) -> None:
        link = add(clip, "link")
        add(link, "linkclipref", _clip_id(event, part))
        add(link, "mediatype", "audio" if part else "video")
        add(link, "trackindex", part or 1)
        add(link, "clipindex", self._places[event.number, part])
        if part:
            add(link, "groupindex", 1)

    def _add_file(self, clip: Element, event: Event) -> None:
        source = event.source
        name = self._files[source.path]
        file = add(clip, "file", id=name)
        if name in self._described:
            return
        self._described.add(name)
        add(file, "name", source.path.name)
        add(file, "pathurl", file_url(source.path, host="localhost"))
        _rate(file, event.rate)
        add(file, "duration", event.length)
        _timecode(file, event.source_start)
        media = add(file, "media")
        if source.has_video:
            shape = add(add(media, "video"), "samplecharacteristics")
            _rate(shape, event.rate)
            _pixels(shape, source.width or 0, source.height or 0)
        if source.has_audio:
            audio = add(media, "audio")
            shape = add(audio, "samplecharacteristics")
            add(shape, "depth", 16)
            add(shape, "samplerate", source.sample_rate_hz)
            add(audio, "channelcount", source.num_channels)


def _parts(event: Event) -> tuple[_Part, ...]:
    """Parts of a moment: 0 for the picture, then its channels."""
    pictures = (0,) if event.source.has_video else ()
    return (*pictures, *range(1, event.source.num_channels + 1))


def _clip_id(event: Event, part: _Part) -> str:
    return f"clipitem-{event.number}-{f'audio-{part}' if part else 'video'}"


def _rate(parent: Element, rate: Fraction) -> None:
    made = add(parent, "rate")
    add(made, "timebase", counts_in(rate))
    add(made, "ntsc", "FALSE" if rate.denominator == 1 else "TRUE")


def _timecode(parent: Element, timecode: Timecode) -> None:
    made = add(parent, "timecode")
    _rate(made, timecode.rate)
    add(made, "string", timecode)
    add(made, "frame", timecode.frame)
    add(made, "source", "source")
    add(made, "displayformat", "DF" if timecode.is_drop else "NDF")


def _pixels(parent: Element, width: int, height: int) -> None:
    add(parent, "width", width)
    add(parent, "height", height)
    add(parent, "pixelaspectratio", "square")

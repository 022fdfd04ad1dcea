"""FCPXML 1.9, which Final Cut Pro and DaVinci Resolve read. All times are exact fractions of a second."""

from fractions import Fraction
from typing import Final
from xml.etree.ElementTree import Element

from cavmae_sync.edit.names import file_url
from cavmae_sync.edit.sequence import EditSequence, Event
from cavmae_sync.edit.timecode import Timecode
from cavmae_sync.edit.xml_text import add, document

VERSION: Final = "1.9"
#: Names of rates in `conform-rate`.
_RATE_NAMES: Final = {
    Fraction(24000, 1001): "23.98",
    Fraction(30000, 1001): "29.97",
    Fraction(48000, 1001): "47.95",
    Fraction(60000, 1001): "59.94",
    **{Fraction(whole): str(whole) for whole in (24, 25, 30, 48, 50, 60)},
}
_AUDIO_RATES: Final = {
    32000: "32k", 44100: "44.1k", 48000: "48k", 88200: "88.2k", 96000: "96k", 176400: "176.4k",
    192000: "192k",
}  # fmt: skip
_MOST_STEREO: Final = 2


def fcpxml_file(sequence: EditSequence) -> bytes:
    """FCPXML file of a sequence: files as assets, moments as clips of picture and sound."""
    root = Element("fcpxml", version=VERSION)
    resources = add(root, "resources")
    formats = _add_formats(resources, sequence)
    assets: dict[object, str] = {}
    for path, event in sequence.sources().items():
        assets[path] = f"r{len(formats) + len(assets) + 1}"
        _add_asset(resources, event, identity=assets[path], formats=formats)
    project = add(add(add(root, "library"), "event", name=sequence.title), "project", name=sequence.title)
    made = add(
        project,
        "sequence",
        format=formats[sequence.rate, sequence.width, sequence.height],
        duration=_text(sequence.length / sequence.rate),
        tcStart=_text(sequence.start.seconds),
        tcFormat=_tc_format(sequence.start),
        audioLayout=None if not sequence.num_channels else _layout(sequence.num_channels),
        audioRate=_AUDIO_RATES.get(sequence.sample_rate_hz, "48k") if sequence.num_channels else None,
    )
    spine = add(made, "spine")
    for event in sequence.events:
        _add_clip(spine, event, sequence, asset=assets[event.source.path], formats=formats)
    return document(root, "fcpxml")


_Formats = dict[tuple[Fraction, int, int], str]


def _add_formats(resources: Element, sequence: EditSequence) -> _Formats:
    shapes = [(sequence.rate, sequence.width, sequence.height)]
    shapes += [_shape(event) for event in sequence.events if event.source.has_video]
    formats: _Formats = {}
    for shape in dict.fromkeys(shapes):
        formats[shape] = f"r{len(formats) + 1}"
        rate, width, height = shape
        add(resources, "format", id=formats[shape], frameDuration=_text(1 / rate), width=width, height=height)
    return formats


def _shape(event: Event) -> tuple[Fraction, int, int]:
    return event.rate, event.source.width or 0, event.source.height or 0


def _add_asset(resources: Element, event: Event, *, identity: str, formats: _Formats) -> None:
    source = event.source
    start, length = event.source_start.seconds, event.length / event.rate
    if not source.has_video and source.sample_rate_hz:
        length = Fraction(round(source.duration_seconds * source.sample_rate_hz), source.sample_rate_hz)
    asset = add(
        resources,
        "asset",
        id=identity,
        name=source.path.stem,
        start=_text(start),
        duration=_text(length),
        hasVideo=1 if source.has_video else None,
        format=formats[_shape(event)] if source.has_video else None,
        hasAudio=1 if source.has_audio else None,
        videoSources=1 if source.has_video else None,
        audioSources=1 if source.has_audio else None,
        audioChannels=source.num_channels or None,
        audioRate=source.sample_rate_hz,
    )
    add(asset, "media-rep", kind="original-media", src=file_url(source.path))


def _add_clip(spine: Element, event: Event, sequence: EditSequence, *, asset: str, formats: _Formats) -> None:
    source = event.source
    clip = add(
        spine,
        "asset-clip",
        ref=asset,
        name=event.name,
        offset=_text(sequence.record_in(event).seconds),
        start=_text(event.source_in.seconds),
        duration=_text((event.record_stop - event.record_first) / sequence.rate),
        format=formats[_shape(event)] if source.has_video else None,
        tcFormat=_tc_format(event.source_start),
        audioRole="dialogue" if source.has_audio else None,
    )
    if event.note:
        add(clip, "note", event.note)
    if event.rate != sequence.rate and event.rate in _RATE_NAMES:
        add(clip, "conform-rate", scaleEnabled=0, srcFrameRate=_RATE_NAMES[event.rate])
    add(
        clip,
        "marker",
        start=_text(event.source_in.seconds),
        duration=_text((event.stop - event.first) / event.rate),
        value=event.name,
        note=event.note or None,
    )
    if event.moment.content is not None:
        held = add(clip, "metadata")
        add(held, "md", key="net.cavmae-sync.sha256", value=event.moment.content, type="string")


def _text(seconds: Fraction) -> str:
    """Time as this format writes it: `1001/30000s`, `3600s`."""
    if seconds.denominator == 1:
        return f"{seconds.numerator}s"
    return f"{seconds.numerator}/{seconds.denominator}s"


def _tc_format(timecode: Timecode) -> str:
    return "DF" if timecode.is_drop else "NDF"


def _layout(num_channels: int) -> str:
    return "mono" if num_channels == 1 else "stereo" if num_channels == _MOST_STEREO else "surround"

"""OTIO files: the timeline of OpenTimelineIO, which DaVinci Resolve and others read."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cavmae_sync.edit.names import file_url
from cavmae_sync.edit.sequence import EditSequence, Event
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from opentimelineio.opentime import RationalTime, TimeRange

_NAMESPACE = "cavmae_sync"
#: Where Resolve looks for what belongs together, and for the text of a marker.
_RESOLVE = "Resolve_OTIO"


def otio_file(sequence: EditSequence) -> bytes:
    """OTIO file of a sequence: a track of pictures, and one of sounds, linked for Resolve.

    Raises:
        ConfigError: OpenTimelineIO is not installed.
    """
    try:
        import opentimelineio as otio
    except ImportError as error:
        raise ConfigError(
            "OTIO needs OpenTimelineIO. Install it: pip install 'cavmae-sync[edit]', or take another format."
        ) from error
    timeline = otio.schema.Timeline(name=sequence.title)
    timeline.global_start_time = _time(sequence.start.frame, sequence.rate)
    timeline.metadata[_NAMESPACE] = {
        "rate": str(sequence.rate),
        "start": str(sequence.start),
        "drop_frame": sequence.start.is_drop,
    }
    kinds = [("Picture", "Video", True)] if sequence.has_video else []
    kinds += [("Sound", "Audio", False)] if sequence.num_channels else []
    for name, kind, is_picture in kinds:
        track = otio.schema.Track(name=name, kind=kind)
        for event in sequence.events:
            has = event.source.has_video if is_picture else event.source.has_audio
            if has:
                track.append(_clip(event, with_marker=is_picture or not event.source.has_video))
            else:
                # As long as the clip on the other track, to the same fraction: nothing after it is shifted.
                length = event.stop - event.first
                track.append(otio.schema.Gap(source_range=_range(0, length, event.rate)))
        timeline.tracks.append(track)
    return str(otio.adapters.write_to_string(timeline, "otio_json")).encode() + b"\n"


def _clip(event: Event, *, with_marker: bool) -> Any:
    import opentimelineio as otio

    source, zero = event.source, event.source_start.frame
    media = otio.schema.ExternalReference(
        target_url=file_url(source.path), available_range=_range(zero, event.length, event.rate)
    )
    media.name = source.path.name.encode("utf-8", "replace").decode()
    chosen = _range(zero + event.first, event.stop - event.first, event.rate)
    clip = otio.schema.Clip(name=event.name, media_reference=media, source_range=chosen)
    clip.metadata[_NAMESPACE] = _facts(event)
    if source.has_video and source.has_audio:
        clip.metadata[_RESOLVE] = {"Link Group ID": event.number}
    if with_marker:
        marker = otio.schema.Marker(name=event.name, marked_range=chosen, color="BLUE")
        marker.comment = event.note
        marker.metadata[_RESOLVE] = {"Note": event.note}
        clip.markers.append(marker)
    return clip


def _facts(event: Event) -> dict[str, Any]:
    moment = event.moment
    facts = {
        "start_seconds": moment.start_seconds,
        "stop_seconds": moment.stop_seconds,
        "rate": str(event.rate),
        "drop_frame": event.source_start.is_drop,
        "note": event.note,
        "content_sha256": moment.content,
        "offset_seconds": moment.offset_seconds,
        "sound": moment.sound,
        "picture": moment.picture,
        "probability": moment.probability,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _time(frame: int, rate: Fraction) -> "RationalTime":
    from opentimelineio.opentime import RationalTime

    return RationalTime(frame, float(rate))


def _range(first: int, length: int, rate: Fraction) -> "TimeRange":
    from opentimelineio.opentime import TimeRange

    return TimeRange(_time(first, rate), _time(length, rate))

"""Export: moments in, the bytes of a file out, in the format of an editing program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cavmae_sync.atomic import written_whole
from cavmae_sync.edit.edl import MarkersOn, cmx3600_file, marker_file
from cavmae_sync.edit.evidence import Evidence, evidence_file
from cavmae_sync.edit.fcp7 import fcp7_file
from cavmae_sync.edit.fcpxml import fcpxml_file
from cavmae_sync.edit.moments import EditMoment
from cavmae_sync.edit.otio_file import otio_file
from cavmae_sync.edit.sequence import EditSequence, SequenceOptions, make_sequence
from cavmae_sync.edit.table import csv_file
from cavmae_sync.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A format of exports.

    Attributes:
        suffix: Ending of its files.
        mime_type: Type of its content.
        about: What it is for, in one line.
    """

    suffix: str
    mime_type: str
    about: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        sequence: Rate, drop frame and start of the sequence.
        markers_on: Where markers of `resolve-edl` stand; see `marker_file`.
        evidence: How the moments were found, for `html`.
    """

    sequence: SequenceOptions = field(default_factory=SequenceOptions)
    markers_on: MarkersOn | None = None
    evidence: Evidence | None = None


#: Formats by name. Where two have one suffix, the first is taken.
FORMATS: Final = MappingProxyType(
    {
        "otio": Format(
            suffix=".otio",
            mime_type="application/vnd.opentimelineio+json",
            about="OpenTimelineIO: DaVinci Resolve, and programs that read it",
        ),
        "fcp7": Format(
            suffix=".xml",
            mime_type="application/xml",
            about="Final Cut Pro 7 XML: Premiere Pro, DaVinci Resolve, Avid; picture and sound linked",
        ),
        "fcpxml": Format(
            suffix=".fcpxml", mime_type="application/xml", about="FCPXML 1.9: Final Cut Pro, DaVinci Resolve"
        ),
        "edl": Format(suffix=".edl", mime_type="text/plain", about="CMX3600 EDL: every editing program"),
        "resolve-edl": Format(
            suffix=".edl",
            mime_type="text/plain",
            about="EDL of markers: DaVinci Resolve, Timeline Markers from EDL",
        ),
        "csv": Format(suffix=".csv", mime_type="text/csv", about="Table: spreadsheets and scripts"),
        "html": Format(
            suffix=".html",
            mime_type="text/html",
            about="Page of the moments with hashes and settings, as an evidence trail",
        ),
    }
)

_WRITERS: Final[dict[str, Callable[[EditSequence], bytes]]] = {
    "otio": otio_file,
    "fcp7": fcp7_file,
    "fcpxml": fcpxml_file,
    "edl": cmx3600_file,
    "csv": csv_file,
}


def export(
    moments: Sequence[EditMoment], format_: str, *, title: str, options: ExportOptions = ExportOptions()
) -> bytes:
    """Content of an export.

    Args:
        moments: Moments, in the order of the sequence.
        format_: Name of one of `FORMATS`.
        title: Name of the sequence, of the list or of the page.
        options: Rate, drop frame, start, and what a page says about the search.

    Raises:
        ConfigError: There is no such format, no moment, or the format cannot hold these moments.
    """
    if format_ not in FORMATS:
        raise ConfigError(f"There is no format {format_!r:.40}. Take one of {', '.join(FORMATS)}.")
    sequence = make_sequence(moments, title=title, options=options.sequence)
    if format_ == "html":
        return evidence_file(sequence, options.evidence or Evidence())
    if format_ == "resolve-edl":
        return marker_file(sequence, markers_on=options.markers_on)
    return _WRITERS[format_](sequence)


def write_export(
    path: Path, moments: Sequence[EditMoment], format_: str, *, title: str, options: ExportOptions
) -> None:
    """Write an export to a file, whole or not at all. Arguments as `export`.

    Raises:
        ConfigError: As `export`.
    """
    content = export(moments, format_, title=title, options=options)
    with written_whole(path) as part:
        part.write_bytes(content)


def format_of(path: Path, wanted: str | None = None) -> str:
    """Name of the format of a file by its ending.

    Args:
        path: File that is to be written.
        wanted: Name of a format that is asked for.

    Raises:
        ConfigError: No format has this ending, or another than the one that is asked for.
    """
    suffix = path.suffix.lower()
    if wanted is not None and wanted not in FORMATS:
        raise ConfigError(f"There is no format {wanted!r:.40}. Take one of {', '.join(FORMATS)}.")
    fitting = [name for name, each in FORMATS.items() if each.suffix == suffix]
    if not fitting or (wanted is not None and wanted not in fitting):
        needed = [FORMATS[wanted]] if wanted is not None else list(FORMATS.values())
        endings = ", ".join(dict.fromkeys(each.suffix for each in needed))
        raise ConfigError(f"{path} must end in {endings}: the ending says the format.")
    return wanted or fitting[0]

"""CSV table of moments, for people and for programs of tables."""

from typing import Final

from cavmae_sync.atomic import csv_text
from cavmae_sync.edit.names import file_url, table_cell
from cavmae_sync.edit.sequence import EditSequence, Event

COLUMNS: Final = (
    "number", "name", "file", "url", "root", "in_timecode", "out_timecode", "start_seconds", "stop_seconds",
    "in_frame", "out_frame", "rate", "timecode_format", "frames", "duration_seconds", "duration_frames",
    "record_in_timecode", "record_out_timecode", "record_rate", "offset_seconds", "probability", "sound",
    "picture", "content_sha256", "note",
)  # fmt: skip
_BYTE_ORDER_MARK: Final = "\ufeff"


def csv_file(sequence: EditSequence) -> bytes:
    """CSV file of moments, UTF-8 with the mark by which programs of tables know it."""
    rows = [_row(event, sequence) for event in sequence.events]
    return (_BYTE_ORDER_MARK + csv_text([COLUMNS, *rows])).encode("utf-8", "replace")


def _row(event: Event, sequence: EditSequence) -> tuple[object, ...]:
    moment, source = event.moment, event.source
    return (
        event.number,
        table_cell(event.name),
        table_cell(str(source.path)),
        file_url(source.path),
        table_cell(moment.root),
        event.source_in,
        event.source_out,
        _number(moment.start_seconds),
        _number(moment.stop_seconds),
        event.first,
        event.stop,
        event.rate,
        "DF" if event.source_start.is_drop else "NDF",
        _frames(event),
        _number(float((event.stop - event.first) / event.rate)),
        event.stop - event.first,
        sequence.record_in(event),
        sequence.record_out(event),
        sequence.rate,
        _number(moment.offset_seconds),
        _number(moment.probability),
        _number(moment.sound),
        _number(moment.picture),
        moment.content or "",
        table_cell(event.note),
    )


def _frames(event: Event) -> str:
    """Word for how frames are counted."""
    if not event.source.has_video:
        return "sound"
    return "constant" if event.source.is_steady else "variable"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")

"""Moments in; files out that editing programs read, pages of evidence, and clips.

- `timecode`: frames as hours, minutes, seconds and frames. `source`: what a file is counted by.
- `moments`: stretches of files on their way to an edit. `sequence`: them one after the other, in frames.
- `export`: formats by name, and the content of a file in one. `names`: names of strangers made safe for them.
- `otio_file`, `fcp7`, `fcpxml`, `edl`, `table`: the formats. `xml_text`: XML that is written.
- `evidence`: a page with hashes and settings. `evidence_pictures`: pictures and waveforms in it.
- `cut`: clips of moments, in files of their own.
"""

from cavmae_sync.edit.cut import CutClip, cut
from cavmae_sync.edit.evidence import Evidence, evidence_of, file_hash
from cavmae_sync.edit.export import FORMATS, ExportOptions, Format, export, format_of, write_export
from cavmae_sync.edit.moments import EditMoment, moment_of_hit
from cavmae_sync.edit.sequence import EditSequence, SequenceOptions, make_sequence
from cavmae_sync.edit.source import EditSource, read_source
from cavmae_sync.edit.timecode import Timecode, parse_rate

__all__ = [
    "FORMATS",
    "CutClip",
    "EditMoment",
    "EditSequence",
    "EditSource",
    "Evidence",
    "ExportOptions",
    "Format",
    "SequenceOptions",
    "Timecode",
    "cut",
    "evidence_of",
    "export",
    "file_hash",
    "format_of",
    "make_sequence",
    "moment_of_hit",
    "parse_rate",
    "read_source",
    "write_export",
]

"""Page of a result set that opens from disk: moments with hashes, offsets and settings, as an evidence trail.

The page needs no script and asks nothing of any network: pictures are inside it.
"""

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from cavmae_sync.edit.evidence_pictures import PLACES, thumbnails, waveform
from cavmae_sync.edit.names import one_line
from cavmae_sync.edit.sequence import EditSequence, Event
from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import MediaError
from cavmae_sync.safe_text import escape_line
from cavmae_sync.search.hits import Found, verdict

_HASH_BYTES: Final = 1 << 20
#: Files that could not be searched and are named; of more, the number is said.
_MOST_NAMED: Final = 200
_SENTENCE: Final = (
    "Agreement, not proof: the scores say how well sounds and pictures agree by this model. They do not say "
    "that two recordings show the same event, and a model can be wrong."
)
_HEAD: Final = """
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark; }
.shown { display: flex; flex-wrap: wrap; gap: .75rem; margin: .75rem 0; }
figure { margin: 0; } figcaption { color: #596172; font-size: .85rem; }
figure img { border-radius: 6px; }
.wave { width: 100%; height: 48px; display: block; margin: .5rem 0; }
.wave path { stroke: #2b6cb0; stroke-width: .7; fill: none; }
dl { display: grid; grid-template-columns: 12rem 1fr; gap: .2rem 1.25rem; margin: .5rem 0; }
dt { color: #596172; } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 46rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media (prefers-color-scheme: dark) {
  body { color: #e4e7ee; background: #14171d; }
  section { background: #1d222b; border-color: #333b49; }
  code { background: #2a313d; }
  dt, figcaption, footer { color: #a3adbd; }
  .wave path { stroke: #7ab3ee; }
}
@media print {
  body { background: #fff; color: #000; }
  section { break-inside: avoid; background: #fff; border-color: #bbb; }
  dt, figcaption, footer { color: #333; } .wave path { stroke: #000; }
}
</style>"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a page says about how its moments were found.

    Attributes:
        question: What was looked for.
        query_file: The file that was asked with; None where it was no file.
        query_hash: SHA-256 of it.
        settings: Settings of the search, by name.
        verdict: Result in words.
        library: Folder of the library.
        encoder: What made its vectors, by name.
        fingerprint: SHA-256 of what decides its vectors.
        searched: What was searched: files and hours.
        not_searched: What could not be, each with the reason.
        made_at: When the page was made, with its time zone; None for now.
    """

    question: str = ""
    query_file: str | None = None
    query_hash: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    verdict: str = ""
    library: str = ""
    encoder: str = ""
    fingerprint: str = ""
    searched: str = ""
    not_searched: tuple[str, ...] = ()
    made_at: datetime | None = None


def evidence_of(
    found: Found,
    library: Library,
    *,
    query_file: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Evidence:
    """Evidence of a search in a library.

    Args:
        found: Its result.
        library: The library.
        query_file: File that was asked with; it is hashed.
        settings: Settings beside those that the result has (order, cut-off, exactness), by name.
    """
    encoder = library.record.encoder
    failed = library.failed()
    named = [f"{row.root}/{row.path}: {row.message or row.reason}" for row in failed[:_MOST_NAMED]]
    named += [f"and {len(failed) - _MOST_NAMED} more files"] if len(failed) > _MOST_NAMED else []
    if found.num_damaged:
        named.append(f"{found.num_damaged} files whose vectors are missing or damaged")
    return Evidence(
        question=found.about,
        query_file=None if query_file is None else str(query_file.absolute()),
        query_hash=None if query_file is None else file_hash(query_file),
        settings={
            "ordered by": found.by,
            "cut-off": f"{found.cutoff:.1%}",
            "places": "all looked at"
            if found.is_exact
            else "proposed by a coarse index, then scored exactly",
            **(settings or {}),
        },
        verdict=verdict(found),
        library=str(library.folder.absolute()),
        encoder=f"{encoder.kind}, weights {encoder.weights}",
        fingerprint=library.record.fingerprint,
        searched=f"{found.num_contents:,} files, {found.searched_seconds / 3600:.2f} hours",
        not_searched=tuple(named),
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BYTES):
            digest.update(block)
    return digest.hexdigest()


def evidence_file(sequence: EditSequence, evidence: Evidence) -> bytes:
    """HTML page of moments, with how they were found."""
    from cavmae_sync.figures.page import page_text  # loads matplotlib

    made_at = evidence.made_at or datetime.now().astimezone()
    body = _search_section(evidence, made_at=made_at)
    body += "".join(_moment_section(event) for event in sequence.events)
    body += _method_section()
    number = len(sequence.events)
    text = page_text(
        title=sequence.title,
        lead=f"{number} {'moment' if number == 1 else 'moments'}. {evidence.verdict}".strip(),
        body=body,
        footer=f"{_SENTENCE} Made with cavmae-sync {version('cavmae-sync')} on {_text_of(made_at)}.",
        head=_HEAD,
    )
    return text.encode("utf-8", "replace")


def _search_section(evidence: Evidence, *, made_at: datetime) -> str:
    facts = {
        "question": evidence.question,
        "file asked with": evidence.query_file,
        "its SHA-256": evidence.query_hash,
        **evidence.settings,
        "searched": evidence.searched,
        "could not be searched": None if evidence.searched == "" else evidence.not_searched or "nothing",
        "library": evidence.library,
        "encoder": evidence.encoder,
        "fingerprint of the library": evidence.fingerprint,
        "program": f"cavmae-sync {version('cavmae-sync')}",
        "made": f"{_text_of(made_at)} ({made_at.tzname() or 'no time zone'})",
    }
    lead = f"<p><strong>{html.escape(_SENTENCE)}</strong></p>"
    return f"<section><h2>The search</h2>{lead}{_list(facts)}</section>"


def _moment_section(event: Event) -> str:
    moment, source = event.moment, event.source
    count = "drop" if event.source_start.is_drop else "non-drop"
    count += "" if source.has_video else " (sound alone, counted in frames of the sequence)"
    first, after = event.source_in, event.source_out
    facts = {
        "file": str(source.path),
        "in the library": f"{moment.root}/{moment.place}" if moment.root else None,
        "SHA-256": moment.content or "not known",
        "start": f"{moment.start_seconds:.3f} s, timecode {first}, frame {event.first}",
        "stop": f"{moment.stop_seconds:.3f} s, timecode {after}, frame {event.stop}: the first one after it",
        "offset of the question": None if moment.offset_seconds is None else f"{moment.offset_seconds:.3f} s",
        "counted at": f"{event.rate} frames a second, {count}",
        "sound (cosine)": _cosine(moment.sound),
        "picture (cosine)": _cosine(moment.picture),
        "probability": None if moment.probability is None else f"{moment.probability:.2%}",
        "note": event.note,
        "remarks": source.remarks,
    }
    heading = html.escape(f"{event.number}. {event.name}")
    return f"<section><h2>{heading}</h2>{_shown(event)}{_list(facts)}</section>"


def _shown(event: Event) -> str:
    """Pictures and waveform of a moment, or why there are none."""
    parts: list[str] = []
    try:
        if event.source.has_video:
            figures = "".join(
                f'<figure><img alt="{place} of moment {event.number}" src="{address}">'
                f"<figcaption>{place}</figcaption></figure>"
                for place, address in zip(PLACES, thumbnails(event), strict=True)
            )
            parts.append(f'<div class="shown">{figures}</div>')
        if event.source.has_audio:
            parts.append(waveform(event))
    except MediaError as error:
        parts.append(f"<p>Not shown: {html.escape(escape_line(str(error)))}</p>")
    return "".join(parts)


def _method_section() -> str:
    facts = {
        "start, stop": "Seconds on the file's timeline, where 0 is what players show as 0. Frames are "
        "counted from the first frame that is shown, which has the timecode at which the file begins.",
        "offset": "Time in the file at which the beginning of the question lies.",
        "sound, picture": "Mean cosine of the question with the sound and the picture there, from -1 to 1.",
        "probability": "Chance that something foreign to the library gets no hit as good, from stretches of "
        "the library that look for themselves everywhere but in their own file.",
        "SHA-256": "Hash of the whole file when it was taken into the library. Compute it again to see "
        "whether a file is the same: sha256sum FILE.",
    }
    return f"<section><h2>What the numbers mean</h2>{_list(facts)}</section>"


def _list(facts: Mapping[str, str | tuple[str, ...] | None]) -> str:
    """Names with their values; those without a value are left out."""
    rows = []
    for name, value in facts.items():
        lines = (value,) if isinstance(value, str) else value or ()
        text = "<br>".join(html.escape(escape_line(one_line(line))) for line in lines if line)
        if text:
            rows.append(f"<dt>{html.escape(name)}</dt><dd>{text}</dd>")
    return f"<dl>{''.join(rows)}</dl>"


def _text_of(made_at: datetime) -> str:
    return made_at.isoformat(" ", "seconds")


def _cosine(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"

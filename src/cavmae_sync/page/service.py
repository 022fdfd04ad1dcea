"""The service without HTTP: a library, its model, searches one after the other."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, as_encoder
from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import ConfigError, DatasetError, MediaError
from cavmae_sync.page.pictures import Pictures
from cavmae_sync.page.proxies import Proxies, Proxy
from cavmae_sync.search import (
    Box,
    Found,
    LibrarySearch,
    Moment,
    Query,
    SearchOptions,
    Span,
    class_query,
    picture_query,
    sound_query,
    text_query,
    vectors_query,
    video_query,
)
from cavmae_sync.tasks.classification.probe import Probe

#: Seconds between two looks whether the library has grown.
_LOOK_EVERY_SECONDS: Final = 2.0


class UnknownContentError(DatasetError):
    """The library has no such content, or no file of it is there."""


class SearchService:
    """A library and its model, asked by several threads.

    Queries are encoded one after the other, since the model fills the machine; so are searches, which take
    milliseconds. What is added to the library meanwhile is found a few seconds later.

    Args:
        library: The library.
        encoder: That which it was made by; None where only its vectors are here, so that questions are
            moments of it and vectors.
        probe: Probe whose classes may be asked for.
    """

    def __init__(
        self, library: Library, encoder: Embedder | ClipEncoder | None, *, probe: Probe | None = None
    ) -> None:
        self.library = library
        self._probe = probe
        self._encoder = None if encoder is None else as_encoder(encoder)
        self._search = LibrarySearch(library)
        self._pictures = Pictures(library.folder)
        self._proxies = Proxies(library.folder)
        self._encoding, self._searching, self._drawing = threading.Lock(), threading.Lock(), threading.Lock()
        self._looked = time.monotonic()

    def warm_up(self) -> None:
        """Make indexes and calibrate, so that the first search is as fast as the others."""
        with self._searching:
            self._search.warm_up()

    def status(self) -> dict[str, Any]:
        """Counts of the library, as JSON values."""
        return self.library.report().to_dict()

    def failures(self) -> list[dict[str, Any]]:
        """Files that cannot be used, with the reason."""
        return [
            {"root": row.root, "path": row.path, "reason": row.reason, "message": row.message}
            for row in self.library.failed()
        ]

    def query_of(
        self, path: Path, kind: str, *, span: Span | None = None, box: Box | None = None, name: str = ""
    ) -> Query:
        """Query from a file: "sound", "picture", "video" or "vectors".

        Raises:
            MediaError: The file cannot be read as that.
            ConfigError: The encoder of the library is not here.
        """
        config = self.library.config
        if kind == "vectors":
            return replace(vectors_query(self.library.record, path), about=f"vectors {name}".strip())
        with self._encoding:
            encoder = self._needed_encoder()
            if kind == "picture":
                made = picture_query(encoder, path, step_seconds=config.step_seconds, box=box)
            elif kind == "sound":
                made = sound_query(encoder, config, path, span=span)
            else:
                made = video_query(encoder, config, path, span=span, box=box)
        return replace(made, about=f"{kind} {name}".strip())

    def text_query(self, text: str) -> Query:
        """Query from a text.

        Raises:
            ConfigError: The encoder of the library knows no words, or is not here.
        """
        with self._encoding:
            return text_query(self._needed_encoder(), self.library.config, text)

    def classes(self) -> list[str]:
        """Classes that may be asked for: names that a probe learned, not free text."""
        return [] if self._probe is None else list(self._probe.classes)

    def class_query(self, name: str) -> Query:
        """Query from the name of a class.

        Raises:
            ConfigError: There is no such class, or no probe that fits the library.
        """
        if self._probe is None:
            raise ConfigError(
                "There are no classes without a probe: cavmae-sync serve LIBRARY --probe PROBE."
            )
        return class_query(self.library.record, self._probe, name)

    def _needed_encoder(self) -> ClipEncoder:
        if self._encoder is None:
            kind = self.library.record.encoder.kind
            raise ConfigError(
                f"The encoder {kind} is not here. Ask with a moment of the library, or vectors of it."
            )
        return self._encoder

    def find(self, query: Query, options: SearchOptions) -> Found:
        """Moments that fit a query."""
        with self._searching:
            self._refresh()
            return self._search.search(query, options)

    def find_like(self, moment: Moment, options: SearchOptions) -> Found:
        """Moments that fit one of the library, and are not it.

        Raises:
            ConfigError: The library has no such moment.
        """
        with self._searching:
            self._refresh()
            return self._search.search(self._search.moment(moment), replace(options, without=moment))

    def file(self, content: str) -> Path:
        """A file that holds a content and is there.

        Raises:
            UnknownContentError: There is none.
        """
        with self._searching:
            self._refresh()
            held = self._search.held
        if content not in held:
            raise UnknownContentError(f"The library has no content {content!r:.80}.")
        with self.library.catalogue() as catalogue:
            roots = catalogue.roots()
        for place in held.places(content):
            root = roots[place.root].path
            if place.is_offline or root is None:
                continue
            path = (root / place.path).resolve()
            # A link in a folder of footage must not open other files to whoever can ask.
            if path.is_relative_to(root.resolve()) and path.is_file():
                return path
        raise UnknownContentError(f"No file of the content {content:.12} is there now.")

    def playable(self, content: str) -> Proxy:
        """A file of a content that browsers play: itself, or a small copy, which is made in the background.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It cannot be read.
        """
        return self._proxies.get(content, self.file(content))

    def close(self) -> None:
        """Stop what is made in the background."""
        self._proxies.close()

    def thumbnail(self, content: str, seconds: float) -> bytes:
        """JPEG of the frame at a time.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no picture there.
        """
        path = self.file(content)
        if not self._search.held.rows[content].has_visual:
            raise MediaError("This file has no picture.")
        with self._drawing:
            return self._pictures.thumbnail(content, path, seconds=seconds)

    def peaks(self, content: str) -> list[float]:
        """Waveform of a content; see `Pictures.peaks`.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no sound.
        """
        path, row = self.file(content), self._search.held.rows[content]
        if not row.has_audio:
            raise MediaError("This file has no sound.")
        number = self._search.timelines.number.get(content)
        if number is None:
            raise UnknownContentError(f"The part of the content {content:.12} is missing or damaged.")
        duration = float(self._search.timelines.stop_seconds_C[number])
        with self._drawing:
            return self._pictures.peaks(content, path, duration_seconds=duration)

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_SECONDS:
            self._looked = now
            self._search.refresh()

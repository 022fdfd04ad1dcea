"""The service without HTTP: a library, its model, searches one after the other."""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from cavmae_sync.edit import EditMoment, Evidence, ExportOptions, evidence_of, export
from cavmae_sync.edit.cut import cut
from cavmae_sync.edit.moments import scores_text
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import OWN, ClipEncoder, OwnEncoder, as_encoder
from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import ConfigError
from cavmae_sync.page.bodies import Chosen, Export
from cavmae_sync.page.files import LibraryFiles, UnknownContentError
from cavmae_sync.page.indexing import Indexing
from cavmae_sync.page.queries import AskedQueries, AskedQuery
from cavmae_sync.page.teaching import TaughtClasses
from cavmae_sync.page.views import agreement_of, own_embedder, sound_map
from cavmae_sync.page.worker import LimitedWorker
from cavmae_sync.search import (
    Box,
    Found,
    LibrarySearch,
    Moment,
    SearchOptions,
    Span,
    class_query,
    text_query,
    vectors_query,
)
from cavmae_sync.search.query_decode import MediaKind, decode_frame, decode_query
from cavmae_sync.search.query_media import encode_query
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.tasks.localization.moment_map import decode_moment, window_of

Taught = TypeVar("Taught")

#: Seconds that cutting a clip may take.
_CUT_SECONDS: Final = 900.0
#: Seconds between two looks whether the library has grown.
_LOOK_EVERY_SECONDS: Final = 2.0


class SearchService:
    """A library and its model, asked by several threads.

    Queries are encoded one after the other, since the model fills the machine; so are searches, which take
    milliseconds. Files that are sent are decoded in a process of its own. What is added to the library
    meanwhile is found a few seconds later.

    Args:
        library: The library.
        encoder: That which it was made by; None where only its vectors are here, so that questions are
            moments of it and vectors.
        probe: Probe whose classes may be asked for.
        model: Where the model lies, for adding files; None where the library knows it.
        trained_on: What the model was trained on and does not know, in words.
        may_add: Whether folders of the machine may be added.
    """

    def __init__(
        self,
        library: Library,
        encoder: Embedder | ClipEncoder | None,
        *,
        probe: Probe | None = None,
        model: Path | None = None,
        trained_on: str | None = None,
        may_add: bool = True,
    ) -> None:
        self.library = library
        self._probe, self._trained_on, self.may_add = probe, trained_on, may_add
        self._encoder = None if encoder is None else as_encoder(encoder)
        self._search = LibrarySearch(library)
        self._decoder, self._cutter = LimitedWorker(), LimitedWorker(most_seconds=_CUT_SECONDS)
        self._encoding, self._searching = threading.Lock(), threading.Lock()
        self._looked = time.monotonic()
        self._queries = AskedQueries()
        self._taught = TaughtClasses(library, self._search)
        self.files = LibraryFiles(library, self.current)
        self.indexing = Indexing(library.folder, model)

    def warm_up(self) -> None:
        """Make indexes and calibrate, so that the first search is as fast as the others."""
        with self._searching:
            self._search.warm_up()
        if self._encoder is not None:
            self._decoder.call(is_ready)

    def current(self) -> LibrarySearch:
        """The search, with what was added a few seconds ago."""
        with self._searching:
            self._refresh()
            return self._search

    def status(self) -> dict[str, Any]:
        """Counts of the library, what is being added, and what may be asked, as JSON values."""
        record = self.library.record
        return {
            **self.library.report().to_dict(),
            "indexing": self.indexing.state(),
            "library": str(self.library.folder.resolve()),
            "encoder": record.encoder.kind,
            "weights": record.encoder.weights,
            "trained_on": self._trained_on,
            "takes_media": self._encoder is not None,
            "has_maps": isinstance(self._encoder, OwnEncoder),
            "has_words": self._encoder is not None and record.encoder.kind != OWN,
            "classes": self.classes(),
            "may_add": self.may_add,
        }

    def failures(self) -> list[dict[str, Any]]:
        """Files that cannot be used, with the reason."""
        return [
            {"root": row.root, "path": row.path, "reason": row.reason, "message": row.message}
            for row in self.library.failed()
        ]

    def add_folder(self, folder: Path) -> None:
        """Begin to add a folder of footage.

        Raises:
            ConfigError: It is none, it may not be added from here, or files are being added already.
        """
        if not self.may_add:
            raise ConfigError(
                "Folders cannot be added from here: who has the token could read all media of the machine. "
                "Add them there with cavmae-sync index add, or start serve with --may-add."
            )
        self.indexing.add(folder)

    def query_of(
        self,
        path: Path,
        kind: MediaKind | Literal["vectors"],
        *,
        span: Span | None = None,
        box: Box | None = None,
        name: str = "",
    ) -> AskedQuery:
        """Question from a file: "sound", "picture", "video" or "vectors".

        Raises:
            MediaError: The file cannot be read as that.
            ConfigError: The encoder of the library is not here.
        """
        with path.open("rb") as file:
            file_hash = hashlib.file_digest(file, "sha256").hexdigest()
        if kind == "vectors":
            made = vectors_query(self.library.record, path)
        else:
            encoder, config = self._needed_encoder(), self.library.config
            decoded = self._decoder.call(
                decode_query, encoder.preparation, config, path, kind, span=span, box=box
            )
            with self._encoding:
                made = encode_query(encoder, config, decoded)
        return AskedQuery(query=replace(made, about=f"{kind} {name}".strip()), file_hash=file_hash)

    def frame_query(self, content: str, seconds: float, box: Box | None) -> AskedQuery:
        """Question from the frame of a file of the library at a time, or a part of it.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no picture there.
            ConfigError: The encoder of the library is not here.
        """
        encoder, config = self._needed_encoder(), self.library.config
        decoded = self._decoder.call(
            decode_frame, encoder.preparation, self.files.path(content), seconds, box
        )
        with self._encoding:
            made = encode_query(encoder, config, decoded)
        place = self.files.place(content)
        part = "frame" if box is None else "part of the frame"
        return AskedQuery(query=replace(made, about=f"{part} of {place.path} at {seconds:.2f} s"))

    def moment_query(self, moment: Moment, senses: tuple[str, ...] = ()) -> AskedQuery:
        """Question from a moment of the library, by all of its senses or some.

        Raises:
            ConfigError: The library has no such moment, or it lacks the senses.
        """
        with self._searching:
            self._refresh()
            made = self._search.moment(moment)
        rows = {sense: rows for sense, rows in made.rows.items() if not senses or sense in senses}
        if not rows:
            raise ConfigError("This moment has nothing of the sense that was asked for.")
        return AskedQuery(query=replace(made, rows=rows), own=moment)

    def text_query(self, text: str) -> AskedQuery:
        """Question from a text.

        Raises:
            ConfigError: The encoder of the library knows no words, or is not here.
        """
        with self._encoding:
            return AskedQuery(query=text_query(self._needed_encoder(), self.library.config, text))

    def classes(self) -> list[str]:
        """Classes that may be asked for: names that a probe learned, not free text."""
        return [] if self._probe is None else list(self._probe.classes)

    def class_query(self, name: str) -> AskedQuery:
        """Question from the name of a class.

        Raises:
            ConfigError: There is no such class, or no probe that fits the library.
        """
        if self._probe is None:
            raise ConfigError(
                "There are no classes without a probe: cavmae-sync serve LIBRARY --probe PROBE."
            )
        return AskedQuery(query=class_query(self.library.record, self._probe, name))

    def find(self, asked: AskedQuery, options: SearchOptions) -> dict[str, Any]:
        """Moments that fit a question, as JSON values; the question is kept."""
        name = self._queries.keep(asked)
        return {"query": name, **self._found(asked, options).to_dict()}

    def find_again(self, name: str, options: SearchOptions) -> dict[str, Any]:
        """Moments that fit a question that was asked before, with other options.

        Raises:
            UnknownQueryError: It is not kept any more.
        """
        return {"query": name, **self._found(self._queries.get(name), options).to_dict()}

    def strip(self, name: str, content: str, options: SearchOptions) -> dict[str, Any]:
        """How well a question fits along a whole file."""
        asked = self._queries.get(name)
        with self._searching:
            return self._search.strip(asked.query, content, options).to_dict()

    def similarity(self, name: str, content: str, start_seconds: float) -> dict[str, Any]:
        """Cosines of the moments of a question with those around a hit."""
        asked = self._queries.get(name)
        with self._searching:
            return self._search.similarity(asked.query, content, start_seconds).to_dict()

    def agreement(self, content: str) -> dict[str, Any]:
        """Agreement of sound and picture of a file over time, by its stored vectors.

        Raises:
            UnknownContentError: The library has no vectors of it.
            MediaError: It has no sound or no picture.
        """
        timelines = self.current().timelines
        number = timelines.number.get(content)
        if number is None:
            raise UnknownContentError(f"The library has no content {content!r:.80}.")
        if not self.library.record.has_one_space:
            raise ConfigError("Sounds and pictures of this library do not compare with each other.")
        return agreement_of(timelines, number, window_seconds=self.library.config.window_seconds)

    def sound_map(self, content: str, seconds: float) -> dict[str, Any]:
        """Where in its frame the sound of a moment is.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no sound or no picture there.
            ConfigError: The model makes no maps.
        """
        embedder, path = own_embedder(self._encoder), self.files.path(content)
        clip = self._decoder.call(decode_moment, path, seconds, window_seconds=window_of(embedder))
        with self._encoding:
            return sound_map(embedder, clip)

    def export(self, wanted: Export) -> bytes:
        """Selected moments as the content of a file.

        Raises:
            UnknownContentError: No file of a moment is there.
            ConfigError: The format cannot hold them.
        """
        moments = [self._chosen(each) for each in wanted.moments]
        options = ExportOptions()
        if wanted.format == "html":
            options = ExportOptions(evidence=self._evidence(wanted))
            if wanted.query is None:  # there is no question that could have an offset
                moments = [replace(each, offset_seconds=None) for each in moments]
        # Pages have pictures, which are decoded.
        return self._cutter.call(export, moments, wanted.format, title=wanted.title, options=options)

    def _evidence(self, wanted: Export) -> Evidence:
        """How moments were found: by one question, or by hand."""
        encoder = self.library.record.encoder
        if wanted.query is None:
            return Evidence(
                question="chosen by hand, or by several questions",
                library=str(self.library.folder.absolute()),
                encoder=f"{encoder.kind}, weights {encoder.weights}",
                fingerprint=self.library.record.fingerprint,
            )
        asked = self._queries.get(wanted.query)
        found = self._found(asked, wanted.options.to_search())
        told = wanted.options.model_dump(mode="json", exclude_defaults=True)
        made = evidence_of(found, self.library, settings={name: str(value) for name, value in told.items()})
        return replace(made, query_hash=asked.file_hash)

    def cut(self, content: str, start_seconds: float, stop_seconds: float, folder: Path) -> Path:
        """A stretch of a file as a file of its own.

        Args:
            content: The file.
            start_seconds: Start of the stretch.
            stop_seconds: End of it.
            folder: Folder for the new file.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It cannot be read there, or takes too long.
        """
        chosen = Chosen(content=content, start_seconds=start_seconds, stop_seconds=stop_seconds)
        (made,) = self._cutter.call(cut, [self._chosen(chosen)], folder)
        return made.path

    def _chosen(self, chosen: Chosen) -> EditMoment:
        place = self.files.place(chosen.content)
        return EditMoment(
            source=self.files.source(chosen.content),
            start_seconds=chosen.start_seconds,
            stop_seconds=chosen.stop_seconds,
            name=chosen.name,
            note=chosen.note
            or scores_text(sound=chosen.sound, picture=chosen.picture, probability=chosen.probability),
            content=chosen.content,
            root=place.root,
            place=place.path,
            offset_seconds=chosen.offset_seconds,
            sound=chosen.sound,
            picture=chosen.picture,
            probability=chosen.probability,
        )

    def teach(self, work: Callable[[TaughtClasses], Taught]) -> Taught:
        """Result of something with the classes that are taught, one at a time."""
        with self._searching:
            return work(self._taught)

    def close(self) -> None:
        """Stop what is made in the background."""
        self.indexing.close()
        self.files.close()
        self._decoder.close()
        self._cutter.close()

    def _found(self, asked: AskedQuery, options: SearchOptions) -> Found:
        with self._searching:
            self._refresh()
            return self._search.search(asked.query, replace(options, without=asked.own))

    def _needed_encoder(self) -> ClipEncoder:
        if self._encoder is None:
            kind = self.library.record.encoder.kind
            raise ConfigError(
                f"The encoder {kind} is not here. Ask with a moment of the library, or vectors of it."
            )
        return self._encoder

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_SECONDS:
            self._looked = now
            self._search.refresh()


def is_ready() -> bool:
    """True; asked of the decoding process, so that it has imported everything."""
    return True

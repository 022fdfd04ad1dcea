"""Files of a library by their content: where they are, their pictures, waveforms, and copies to play.

Nothing else is ever opened.
"""

import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cavmae_sync.edit import EditSource, read_source
from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import DatasetError, MediaError
from cavmae_sync.page.pictures import Pictures
from cavmae_sync.page.proxies import Proxies, Proxy
from cavmae_sync.page.worker import LimitedWorker
from cavmae_sync.search import LibrarySearch, Place

_MOST_FACTS: Final = 4096
#: Seconds that a thumbnail or a waveform may take.
_DRAW_SECONDS: Final = 60.0


class UnknownContentError(DatasetError):
    """The library has no such content, or no file of it is there."""


class LibraryFiles:
    """Files of a library.

    Args:
        library: The library.
        current: Gives the search of today, which knows what the library holds.
    """

    def __init__(self, library: Library, current: Callable[[], LibrarySearch]) -> None:
        self._library, self._current = library, current
        self._reader, self._drawer = LimitedWorker(), LimitedWorker(most_seconds=_DRAW_SECONDS)
        self._pictures = Pictures(library.folder, self._drawer)
        self._proxies = Proxies(library.folder)
        self._reading, self._drawing = threading.Lock(), threading.Lock()
        self._facts: dict[str, EditSource] = {}

    def listed(self, text: str, *, first: int, most: int) -> dict[str, Any]:
        """Files whose name has a text in it, by root and path, as JSON values."""
        held, wanted = self._current().held, text.casefold()
        found: list[tuple[Place, str]] = []
        for content in held:
            place = held.places(content)[0]
            if wanted in f"{place.root}/{place.path}".casefold():
                found.append((place, content))
        found.sort(key=lambda each: (each[0].root, each[0].path))
        return {
            "num_files": len(found),
            "files": [
                {
                    "content": content,
                    "root": place.root,
                    "path": place.path,
                    "is_offline": place.is_offline,
                    "seconds": held.rows[content].seconds,
                    "has_sound": held.rows[content].has_audio,
                    "has_picture": held.rows[content].has_visual,
                }
                for place, content in found[first : first + most]
            ],
        }

    def path(self, content: str) -> Path:
        """A file that holds a content and is there.

        Raises:
            UnknownContentError: There is none.
        """
        held = self._current().held
        if content not in held:
            raise UnknownContentError(f"The library has no content {content!r:.80}.")
        with self._library.catalogue() as catalogue:
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

    def place(self, content: str) -> Place:
        """The file of a content to name.

        Raises:
            UnknownContentError: The library has none.
        """
        held = self._current().held
        if content not in held:
            raise UnknownContentError(f"The library has no content {content!r:.80}.")
        return held.places(content)[0]

    def source(self, content: str) -> EditSource:
        """Rate, timecode and sizes of a content.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It cannot be read.
        """
        path = self.path(content)
        with self._reading:
            if content not in self._facts:
                if len(self._facts) >= _MOST_FACTS:
                    self._facts.clear()
                self._facts[content] = self._reader.call(read_source, path)
            return self._facts[content]

    def facts(self, content: str) -> dict[str, Any]:
        """Where a content lies and what it is, as JSON values.

        Raises:
            UnknownContentError: The library has none.
        """
        search = self._current()
        place = self.place(content)
        row = search.held.rows[content]
        about: dict[str, Any] = {
            "content": content,
            "places": [asdict(each) for each in search.held.places(content)],
            "seconds": row.seconds,
            "has_sound": row.has_audio,
            "has_picture": row.has_visual,
            "is_offline": place.is_offline,
            "source": None,
            "problem": None,
        }
        try:
            source = self.source(content)
        except (UnknownContentError, MediaError) as error:
            # Its disk is not there, or it cannot be read now: what the library knows is shown all the same.
            about["problem"] = None if place.is_offline else str(error)
            return about
        rate = source.rate
        start = None if rate is None else source.start(rate)
        about["source"] = {
            "rate": None if rate is None else [rate.numerator, rate.denominator],
            "is_steady": source.is_steady,
            "is_drop_frame": start is not None and start.is_drop,
            "start_frame": 0 if start is None else start.frame,
            "first_seconds": source.first_seconds,
            "num_frames": source.num_frames,
            "width": source.width,
            "height": source.height,
            "sample_rate_hz": source.sample_rate_hz,
            "num_channels": source.num_channels,
            "duration_seconds": source.duration_seconds,
            "remarks": list(source.remarks),
        }
        return about

    def thumbnail(self, content: str, seconds: float) -> bytes:
        """JPEG of the frame at a time.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no picture there.
        """
        path = self.path(content)
        if not self._current().held.rows[content].has_visual:
            raise MediaError("This file has no picture.")
        with self._drawing:
            return self._pictures.thumbnail(content, path, seconds=seconds)

    def peaks(self, content: str) -> list[float]:
        """Waveform of a content; see `Pictures.peaks`.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no sound.
        """
        path = self.path(content)
        if not self._current().held.rows[content].has_audio:
            raise MediaError("This file has no sound.")
        duration = self.source(content).duration_seconds
        with self._drawing:
            return self._pictures.peaks(content, path, duration_seconds=duration)

    def stretch_peaks(self, content: str, start_seconds: float, stop_seconds: float) -> list[float]:
        """Waveform of a stretch of a content; see `Pictures.stretch_peaks`.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It has no sound there.
        """
        path = self.path(content)
        with self._drawing:
            return self._pictures.stretch_peaks(path, start_seconds, stop_seconds)

    def playable(self, content: str) -> Proxy:
        """A file of a content that browsers play: itself, or a small copy, which is made in the background.

        Raises:
            UnknownContentError: No file of it is there.
            MediaError: It cannot be read.
        """
        return self._proxies.get(content, self.path(content))

    def close(self) -> None:
        """Stop what is made in the background."""
        self._proxies.close()
        self._reader.close()
        self._drawer.close()

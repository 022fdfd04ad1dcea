"""Proxies of a library's files, made in the background, kept on disk within bounds, deletable.

LIBRARY/derived/proxies/CONTENT.mp4
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cavmae_sync.embedding.library.schema import DERIVED_FOLDER
from cavmae_sync.errors import CavMaeSyncError
from cavmae_sync.media.proxy import StoppedError, plays_in_browsers, write_proxy

#: Bytes that are kept; what was not asked for longest goes first.
MOST_BYTES: Final = 20 << 30
#: Files that may wait to be made.
_MOST_WAITING: Final = 64

ProxyState = Literal["not needed", "ready", "waiting", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """State of a proxy.

    Attributes:
        state: "not needed" where browsers play the file itself.
        fraction: Share that is made, in [0, 1].
        path: The file to play, where there is one.
        reason: Why it cannot be made.
        may_pass: Whether the reason may pass, like a full disk.
    """

    state: ProxyState
    fraction: float = 0.0
    path: Path | None = None
    reason: str | None = None
    may_pass: bool = False


class Proxies:
    """Proxies of a library, one made at a time.

    Args:
        library: Folder of the library.
        most_bytes: Bytes that are kept.
    """

    def __init__(self, library: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = library / DERIVED_FOLDER / "proxies"
        self._most_bytes = most_bytes
        self._waiting: queue.Queue[tuple[str, Path]] = queue.Queue(_MOST_WAITING)
        self._states: dict[str, Proxy] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._worker: threading.Thread | None = None

    def get(self, content: str, path: Path) -> Proxy:
        """Proxy of a content, begun if it is needed and not there.

        Args:
            content: SHA-256 of the file.
            path: The file, which is there.

        Raises:
            MediaError: The file cannot be read.
        """
        made = self._folder / f"{content}.mp4"
        with self._lock:
            # A link there would open other files to whoever can ask.
            if made.is_file() and made.resolve().parent == self._folder.resolve():
                made.touch()  # asked for last
                return Proxy(state="ready", fraction=1.0, path=made)
            known = self._states.get(content)
            if known is not None and known.state in ("waiting", "failed"):
                if known.may_pass:  # said once, tried again when it is asked for again
                    del self._states[content]
                return known
            if plays_in_browsers(path):
                return Proxy(state="not needed", fraction=1.0, path=path)
            self._states[content] = Proxy(state="waiting")
            try:
                self._waiting.put_nowait((content, path))
            except queue.Full:
                del self._states[content]
                return Proxy(state="waiting")  # asked for again, it finds its place
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="proxies", daemon=True)
                self._worker.start()
            return self._states[content]

    def close(self) -> None:
        """Stop making proxies; what is unfinished is removed."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.join()

    def _work(self) -> None:
        for content, path in self._jobs():
            made = self._folder / f"{content}.mp4"
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                made.unlink(missing_ok=True)
                write_proxy(
                    path,
                    made,
                    on_progress=lambda share, content=content: self._set(content, share),
                    should_stop=self._stopping.is_set,
                )
            except StoppedError:
                return
            except (CavMaeSyncError, OSError) as error:
                reason = str(error).replace(str(path), path.name)
                with self._lock:
                    may_pass = isinstance(error, OSError)
                    self._states[content] = Proxy(state="failed", reason=reason, may_pass=may_pass)
                continue
            with self._lock:
                self._states.pop(content, None)
            with suppress(OSError):  # somebody may delete the same files
                self._tidy(made)

    def _jobs(self) -> Iterator[tuple[str, Path]]:
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                yield self._waiting.get(timeout=0.2)

    def _set(self, content: str, share: float) -> None:
        with self._lock:
            self._states[content] = Proxy(state="waiting", fraction=share)

    def _tidy(self, newest: Path) -> None:
        files = sorted(self._folder.glob("*.mp4"), key=lambda path: path.stat().st_mtime_ns)
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if total <= self._most_bytes:
                return
            if path != newest:
                total -= path.stat().st_size
                path.unlink(missing_ok=True)

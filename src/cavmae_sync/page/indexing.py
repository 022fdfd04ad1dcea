"""Adding folders to a library while it is served: the command `index` in a process of its own.

It decodes and encodes beside the service, which stays fast, and a crash costs only itself.
"""

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

from cavmae_sync.errors import ConfigError

#: Seconds that a run may take to stop; then it is ended, which loses nothing that was added.
_STOP_SECONDS: Final = 20.0
#: Whoever searches comes first. Within one session, where schedulers give each session an equal share.
_GENTLY: Final = ("nice", "-n", "15") if shutil.which("nice") else ()
_MOST_TOLD: Final = 2000


class Indexing:
    """One run of `index add` or `index update` at a time.

    Args:
        library: Folder of the library.
        model: The model, where it has to be said.
    """

    def __init__(self, library: Path, model: Path | None = None) -> None:
        self._library, self._model = library, model
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._about, self._told = "", ""

    def add(self, folder: Path) -> None:
        """Begin to add a folder.

        Raises:
            ConfigError: It is none, or files are being added already.
        """
        if not folder.is_absolute() or not folder.is_dir():
            raise ConfigError(f"{folder} is no folder on this machine. Give its whole path.")
        self._start(["add", str(self._library), str(folder)], f"adding {folder}")

    def update(self) -> None:
        """Begin to look for files that are new or have changed.

        Raises:
            ConfigError: Files are being added already.
        """
        self._start(["update", str(self._library)], "looking for new files")

    def state(self) -> dict[str, Any]:
        """What is running, or how the last run ended, as JSON values."""
        with self._lock:
            process = self._process
            is_running = process is not None and process.poll() is None
            is_failed = process is not None and not is_running and process.returncode != 0
            return {"is_running": is_running, "about": self._about, "error": self._told if is_failed else ""}

    def close(self) -> None:
        """Stop a run; what it has added stays."""
        with self._lock:
            process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self, words: list[str], about: str) -> None:
        model = [] if self._model is None else ["--model", str(self._model)]
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                raise ConfigError(f"Files are being added already ({self._about}). Wait until that is done.")
            self._about, self._told = about, ""
            self._process = subprocess.Popen(  # noqa: S603 (our own command; no shell)
                [*_GENTLY, sys.executable, "-m", "cavmae_sync", "index", *words, *model],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                process_group=0,  # Ctrl-C reaches the service, which stops it in order
            )
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                with self._lock:
                    self._told = (self._told + line)[-_MOST_TOLD:]
        process.wait()

"""Thumbnails and waveforms of a library's files: made when asked for, kept on disk within bounds, deletable.

    LIBRARY/derived/pictures/CONTENT-12000.jpg    the frame at 12 s
    LIBRARY/derived/pictures/CONTENT.waveform     loudest sample of each of 1,000 parts of the sound, bytes

B parts of a waveform.
"""

import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.atomic import written_whole
from cavmae_sync.embedding.library.schema import DERIVED_FOLDER
from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.media import read_audio
from cavmae_sync.media.loudness import loudest_of_parts
from cavmae_sync.media.read import read_frame
from cavmae_sync.page.worker import LimitedWorker
from cavmae_sync.paper import SAMPLE_RATE_HZ

#: Longer side of a thumbnail in pixels, and parts of a waveform.
THUMBNAIL_PIXELS: Final = 320
NUM_PEAKS: Final = 1000
#: Parts of the waveform of a stretch.
NUM_STRETCH_PEAKS: Final = 200
#: Bytes that are kept; the files that were made first go first.
_MOST_BYTES: Final = 256 << 20
_TIDY_EVERY: Final = 64
#: Seconds of sound that are decoded at a time: bounds memory.
_BLOCK_SECONDS: Final = 60.0
_PEAK_SCALE: Final = 255


class Pictures:
    """Thumbnails and waveforms of a library.

    Args:
        library: Folder of the library.
        worker: Process that decodes.
    """

    def __init__(self, library: Path, worker: LimitedWorker) -> None:
        self._worker = worker
        self._folder = library / DERIVED_FOLDER / "pictures"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._num_made = 0

    def thumbnail(self, content: str, path: Path, *, seconds: float) -> bytes:
        """JPEG of the frame on screen at a time.

        Args:
            content: SHA-256 of the file.
            path: Where the file is.
            seconds: Time in it.

        Raises:
            MediaError: The file has no picture there, or cannot be read.
        """
        file = self._folder / f"{content}-{round(max(seconds, 0.0) * 1000)}.jpg"
        if not file.is_file():
            self._keep(file, self._worker.call(_thumbnail, path, seconds))
        return file.read_bytes()

    def peaks(self, content: str, path: Path, *, duration_seconds: float) -> list[float]:
        """Loudest sample of each of `NUM_PEAKS` equal parts of the sound, in [0, 1].

        Raises:
            MediaError: The file has no sound, or cannot be read.
        """
        file = self._folder / f"{content}.waveform"
        if not file.is_file():
            self._keep(file, self._worker.call(_peaks, path, duration_seconds))
        return [value / _PEAK_SCALE for value in file.read_bytes()]

    def stretch_peaks(self, path: Path, start_seconds: float, stop_seconds: float) -> list[float]:
        """Loudest sample of each of `NUM_STRETCH_PEAKS` parts of a stretch of at most a minute, in [0, 1].

        Raises:
            MediaError: The file has no sound there, or cannot be read.
        """
        length = min(max(stop_seconds - start_seconds, 0.01), _BLOCK_SECONDS)
        found = self._worker.call(_stretch_peaks, path, start_seconds, length)
        return [value / _PEAK_SCALE for value in found]

    def _keep(self, file: Path, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)  # somebody may have deleted it
        with written_whole(file) as part:
            part.write_bytes(content)
        self._num_made += 1
        if self._num_made % _TIDY_EVERY == 0:
            self._tidy()

    def _tidy(self) -> None:
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if total <= _MOST_BYTES:
                return
            total -= path.stat().st_size
            path.unlink(missing_ok=True)


def _thumbnail(path: Path, seconds: float) -> bytes:
    return _jpeg(read_frame(path, seconds))


def _jpeg(frame_HWC: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(frame_HWC)
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def _stretch_peaks(path: Path, start_seconds: float, length: float) -> bytes:
    sound_S = read_audio(path, start_seconds=start_seconds, duration_seconds=length)
    return _bytes(loudest_of_parts(sound_S, NUM_STRETCH_PEAKS))


def _peaks(path: Path, duration_seconds: float) -> bytes:
    peaks_B = np.zeros(NUM_PEAKS, np.float32)
    start = 0.0
    while start < duration_seconds:
        length = min(_BLOCK_SECONDS, duration_seconds - start)
        try:
            sound_S = np.abs(read_audio(path, start_seconds=start, duration_seconds=length))
        except ClipTooShortError:
            if start == 0:
                raise
            break  # the sound ends before the picture: what follows is as flat as silence
        times_S = start + np.arange(len(sound_S)) / SAMPLE_RATE_HZ
        parts_S = np.minimum((times_S / duration_seconds * NUM_PEAKS).astype(np.int64), NUM_PEAKS - 1)
        np.maximum.at(peaks_B, parts_S, sound_S)
        start += length
    return _bytes(peaks_B)


def _bytes(peaks_B: NDArray[np.float32]) -> bytes:
    return np.rint(peaks_B * _PEAK_SCALE).astype(np.uint8).tobytes()

"""Decoded sound laid on the file's timeline and cut into stretches of 16 kHz.

Chunks are placed by their time stamps: silence before the track begins, in its gaps and after its end. Any
stretch is resampled on one fixed grid, so it does not matter from where the file was decoded.

Shapes: S samples.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.decode import SoundChunk, resample
from cavmae_sync.paper import SAMPLE_RATE_HZ

# Rounded time stamps jitter by a tick (Matroska: 1 ms); chunks closer than this to their neighbour touch it.
_GAP_SECONDS = 0.02
# More than the reach of the resampler's filter on either side.
_MARGIN_SAMPLES = SAMPLE_RATE_HZ // 20


class SoundTrack:
    """A track read forwards, of which only the stretch in use is held."""

    def __init__(self, chunks: Iterator[SoundChunk], *, path: Path) -> None:
        self._chunks = chunks
        self._path = path
        self._placed: list[tuple[int, NDArray[np.float32]]] = []  # first sample at the track's own rate
        self._rate_hz = 0
        self._stop = 0
        self._is_complete = False

    @property
    def stop_seconds(self) -> float | None:
        """Where the track ends, once that is known."""
        return self._stop / self._rate_hz if self._is_complete and self._rate_hz else None

    def take(self, *, start_seconds: float, num_samples: int) -> NDArray[np.float32]:
        """Samples at 16 kHz from `start_seconds` on, in [-1, 1]; starts must not go backwards.

        Lossy codecs overshoot full scale; what lies beyond is clipped, as it is in the original's 16-bit
        files.

        Raises:
            DecodeError: A sample is not a finite number, or the rate changes in the file.
        """
        first_out = round(start_seconds * SAMPLE_RATE_HZ)
        self._read_until(first_out - _MARGIN_SAMPLES, SAMPLE_RATE_HZ)
        if not self._rate_hz:
            return np.zeros(num_samples, np.float32)
        divisor = math.gcd(self._rate_hz, SAMPLE_RATE_HZ)
        up, down = SAMPLE_RATE_HZ // divisor, self._rate_hz // divisor
        first_cell = (first_out - _MARGIN_SAMPLES) // up
        stop_cell = -(-(first_out + num_samples + _MARGIN_SAMPLES) // up)
        self._read_until(stop_cell * down, self._rate_hz)
        source_S = self._source(first_cell * down, stop_cell * down)
        resampled_S = resample(source_S, rate_hz=self._rate_hz)
        offset = first_out - first_cell * up
        return np.clip(resampled_S[offset : offset + num_samples], -1.0, 1.0)

    def _source(self, first: int, stop: int) -> NDArray[np.float32]:
        source_S = np.zeros(stop - first, np.float32)
        self._placed = [(at, samples_S) for at, samples_S in self._placed if at + samples_S.size > first]
        for at, samples_S in self._placed:
            low, high = max(at, first), min(at + samples_S.size, stop)
            if low < high:
                source_S[low - first : high - first] = samples_S[low - at : high - at]
        broken = np.flatnonzero(~np.isfinite(source_S))
        if broken.size:
            raise DecodeError(
                f"{self._path} has samples that are NaN or infinite, the first at "
                f"{(first + broken[0]) / self._rate_hz:.2f} s. Repair its sound, or remove it."
            )
        return source_S

    def _read_until(self, position: int, rate_hz: int) -> None:
        while not self._is_complete and (
            not self._rate_hz or self._stop * rate_hz < position * self._rate_hz
        ):
            chunk = next(self._chunks, None)
            if chunk is None:
                self._is_complete = True
                return
            self._place(chunk)

    def _place(self, chunk: SoundChunk) -> None:
        if self._rate_hz and chunk.rate_hz != self._rate_hz:
            raise DecodeError(
                f"{self._path}: its sound changes from {self._rate_hz} to {chunk.rate_hz} Hz at "
                f"{chunk.seconds:.2f} s. Convert it to one rate, or remove it."
            )
        at = round(chunk.seconds * chunk.rate_hz)
        if self._rate_hz and abs(at - self._stop) <= _GAP_SECONDS * chunk.rate_hz:
            at = self._stop
        self._rate_hz = chunk.rate_hz
        self._stop = at + chunk.samples_S.size
        self._placed.append((at, chunk.samples_S))

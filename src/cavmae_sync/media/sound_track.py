"""Sound of a file at 16 kHz or another rate, laid on the file's timeline and read forwards.

The timeline is divided into blocks. A block is decoded by a decoder of its own from the packets around it,
laid where `sound_clock` says, and resampled on one fixed grid. So a clip is the same, to the last bit, from
wherever the file is read: decoders remember their past (AAC's noise generator does). This costs nothing on
clips of ten seconds, and 1.4 to 1.7 times the decoding on films of nothing but sound. There is silence before
the track begins, where sound is really missing, and after its end.

Shapes: S samples.
"""

import math
from collections import deque
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.interpolation import interpolate
from cavmae_sync.media.sound_chunks import (
    Channel,
    SoundChunk,
    TimedPacket,
    decode_sound,
    resample,
    sound_packets,
)
from cavmae_sync.media.sound_clock import (
    HELD_SECONDS,
    LASTING_SECONDS,
    SMOOTHING_SECONDS,
    SoundRun,
    sound_runs,
)
from cavmae_sync.paper import SAMPLE_RATE_HZ

# The first block holds all of the time in which a track stands at its first stamp.
_BLOCK_SECONDS: Final = HELD_SECONDS[1]
# Sound around a block that the clock compares, and sound before it that a decoder needs to start.
_AROUND_SECONDS: Final = SMOOTHING_SECONDS + LASTING_SECONDS
_PREROLL_SECONDS: Final = 1.0
# More than the reach of the resampler's filter to either side.
_MARGIN_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """Sound of a block at the rate wanted, and how far it is good; `error` is the damage after that."""

    sound_S: NDArray[np.float32]
    good_until_seconds: float
    error: DecodeError | None


class SoundTrack:
    """Sound of a file, read forwards; only the blocks in use are held."""

    def __init__(
        self, path: Path, *, from_seconds: float, channel: Channel, sample_rate_hz: int = SAMPLE_RATE_HZ
    ) -> None:
        """Start a little before a time on the file's timeline; nothing is read yet."""
        self._path = path
        self._channel: Channel = channel
        self._rate_hz = sample_rate_hz
        first = math.floor(from_seconds / _BLOCK_SECONDS)
        begin = max(first * _BLOCK_SECONDS - _AROUND_SECONDS - _PREROLL_SECONDS, 0.0)
        self._packets = sound_packets(path, from_seconds=begin)
        self._held = deque[TimedPacket]()
        self._packets_error: DecodeError | None = None
        self._has_all_packets = False
        self._blocks: dict[int, _Block] = {}
        self._packets_stop = 0.0
        self._stop: float | None = None

    def close(self) -> None:
        """Close the file."""
        self._packets.close()

    @property
    def stop_seconds(self) -> float | None:
        """End of the track, once it is known."""
        return self._stop

    def take(self, *, start_seconds: float, num_samples: int) -> NDArray[np.float32]:
        """Samples at the rate wanted from `start_seconds` on, in [-1, 1]; starts must not go backwards.

        Lossy codecs overshoot full scale; the overshoot is clipped, as in the original's 16-bit files.

        Raises:
            DecodeError: The span is damaged: a packet does not decode, a sample is not a finite number, the
                rate changes, or the file ends before its header says.
        """
        first = round(start_seconds * self._rate_hz)
        size = round(_BLOCK_SECONDS * self._rate_hz)
        numbers = range(first // size, -(-(first + num_samples) // size))
        self._blocks = {n: block for n, block in self._blocks.items() if n in numbers}
        parts: list[NDArray[np.float32]] = []
        for number in numbers:
            block = self._blocks.get(number) or self._make_block(number)
            self._blocks[number] = block
            low, high = max(first - number * size, 0), min(first + num_samples - number * size, size)
            until = (number * size + high) / self._rate_hz
            if block.error is not None and until + _MARGIN_SECONDS > block.good_until_seconds:
                raise block.error
            parts.append(block.sound_S[low:high])
        return np.clip(np.concatenate(parts), -1.0, 1.0)

    def _make_block(self, number: int) -> _Block:
        start, stop = number * _BLOCK_SECONDS, (number + 1) * _BLOCK_SECONDS
        self._read_until(stop + _AROUND_SECONDS)
        begin = start - _AROUND_SECONDS - _PREROLL_SECONDS
        while self._held and self._held[0].seconds < begin:
            self._held.popleft()
        packets = [timed for timed in self._held if timed.seconds <= stop + _AROUND_SECONDS]
        chunks, error = self._decode(packets)
        if error is None and len(packets) == len(self._held):
            error = self._packets_error
        rate = chunks[0].rate_hz if chunks else self._rate_hz
        lengths_N = np.array([chunk.samples_S.size / rate for chunk in chunks])
        runs = sound_runs([chunk.seconds for chunk in chunks], lengths_N, from_start=number == 0)
        if chunks and not runs:
            raise DecodeError(
                f"{self._path} has sound without times, so it cannot be matched with the video. Convert it."
            )
        ends = [run.seconds_of(float(lengths_N[run.first : run.stop].sum())) for run in runs]
        end = max(ends, default=start)
        if self._has_all_packets and len(packets) == len(self._held) and error is None:
            self._stop = end if runs else self._packets_stop
        return _Block(
            sound_S=_laid(
                chunks,
                runs,
                rate_hz=rate,
                wanted_hz=self._rate_hz,
                start_seconds=start,
                stop_seconds=stop,
            ),
            good_until_seconds=end,
            error=error,
        )

    def _read_until(self, seconds: float) -> None:
        while not self._has_all_packets and (not self._held or self._held[-1].seconds <= seconds):
            try:
                timed = next(self._packets, None)
            except DecodeError as error:
                timed, self._packets_error = None, error
            if timed is None:
                self._has_all_packets = True
            else:
                self._held.append(timed)
                self._packets_stop = max(self._packets_stop, timed.stop_seconds)

    def _decode(self, packets: list[TimedPacket]) -> tuple[list[SoundChunk], DecodeError | None]:
        """Chunks up to the first damage, and the damage."""
        chunks: list[SoundChunk] = []
        try:
            for chunk in decode_sound(self._path, packets, channel=self._channel):
                self._check(chunk, chunks)
                chunks.append(chunk)
        except DecodeError as error:
            return chunks, error
        return chunks, None

    def _check(self, chunk: SoundChunk, chunks: list[SoundChunk]) -> None:
        seconds = chunk.seconds or 0.0
        if chunks and chunk.rate_hz != chunks[0].rate_hz:
            raise DecodeError(
                f"{self._path}: its sample rate changes from {chunks[0].rate_hz} to {chunk.rate_hz} Hz at "
                f"{seconds:.2f} s. Convert it to one rate, or remove it."
            )
        if not np.isfinite(chunk.samples_S).all():
            broken = np.flatnonzero(~np.isfinite(chunk.samples_S))
            raise DecodeError(
                f"{self._path} has samples that are NaN or infinite, the first at "
                f"{seconds + broken[0] / chunk.rate_hz:.2f} s. Repair its sound, or remove it."
            )


def _laid(
    chunks: list[SoundChunk],
    runs: list[SoundRun],
    *,
    rate_hz: int,
    wanted_hz: int,
    start_seconds: float,
    stop_seconds: float,
) -> NDArray[np.float32]:
    """Lay runs at their times and resample them to the rate wanted, on a grid that begins at time 0.

    The grid is made of cells, the shortest span that holds whole samples of both rates, so that every block
    resamples the same way. What comes more than a margin after the last sample is silence and is not
    resampled: ten seconds of sound end long before their block.
    """
    first_out = round(start_seconds * wanted_hz)
    num_out = round(stop_seconds * wanted_hz) - first_out
    margin = round(_MARGIN_SECONDS * wanted_hz)
    divisor = math.gcd(rate_hz, wanted_hz)
    up, down = wanted_hz // divisor, rate_hz // divisor
    first_cell, stop_cell = (first_out - margin) // up, -(-(first_out + num_out + margin) // up)
    source_S = np.zeros((stop_cell - first_cell) * down, np.float32)
    filled = 0  # samples of the source up to the last that was laid
    laid_S = np.zeros(num_out, np.float32)
    for run, after in zip_longest(runs, runs[1:]):
        samples_S = np.concatenate([chunk.samples_S for chunk in chunks[run.first : run.stop]])
        if after is not None:  # two runs overlap: the later one wins
            begins = run.counts_of(np.array([after.seconds_of(0.0)]))[0]
            samples_S = samples_S[: max(round(min(begins * rate_hz, samples_S.size)), 0)]
        if run.is_steady:
            at = round(run.seconds_of(0.0) * rate_hz) - first_cell * down
            filled = max(filled, _lay(samples_S, at, source_S))
        else:
            counts_S = run.counts_of((first_out + np.arange(num_out)) / wanted_hz)
            resampled_S = resample(samples_S, rate_hz=rate_hz, wanted_hz=wanted_hz)
            laid_S += interpolate(resampled_S, counts_S * wanted_hz)
    if filled:
        used = -(-(filled + round(_MARGIN_SECONDS * rate_hz)) // down) * down
        offset = first_out - first_cell * up
        steady_S = resample(source_S[:used], rate_hz=rate_hz, wanted_hz=wanted_hz)
        steady_S = steady_S[offset : offset + num_out]
        laid_S[: steady_S.size] += steady_S
    return laid_S


def _lay(samples_S: NDArray[np.float32], at: int, source_S: NDArray[np.float32]) -> int:
    """Copy samples into the source, as far as they are inside it, and tell where they end there."""
    low, high = max(at, 0), min(at + samples_S.size, source_S.size)
    if low >= high:
        return 0
    source_S[low:high] = samples_S[low - at : high - at]
    return high

"""Shared by the media tests: the difficult files, and small films whose content is known."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cavmae_sync.media import Clip, write_video

ODD = Path(__file__).parent / "odd"
RATE_HZ = 16_000


@pytest.fixture(scope="session")
def odd() -> Callable[[str], Path]:
    """Finds a difficult file by its number."""

    def find(number: str) -> Path:
        (path,) = ODD.glob(f"{number}_*")
        return path

    return find


def numbered_frames(num_frames: int, *, height: int = 32, width: int = 64) -> NDArray[np.uint8]:
    """Grey frames that carry their number as ten black or white columns, so that codecs cannot hide it."""
    bits = (np.arange(num_frames)[:, None] >> np.arange(10)) & 1
    row = np.repeat(bits, width // 10, axis=1) * 200 + 28
    row = np.pad(row, ((0, 0), (0, width - row.shape[1])))
    return np.broadcast_to(row[:, None, :, None], (num_frames, height, width, 3)).astype(np.uint8)


def read_numbers(frames_THWC: NDArray[np.uint8]) -> list[int]:
    """Numbers in frames made by `numbered_frames`."""
    width = frames_THWC.shape[2]
    row = frames_THWC[:, :, : width // 10 * 10].mean(axis=(1, 3))
    bits = row.reshape(len(row), 10, -1).mean(axis=2) > 128
    return [int(number) for number in bits @ (1 << np.arange(10))]


def noise(seconds: float, *, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (0.3 * rng.standard_normal(round(seconds * rate_hz))).clip(-1, 1).astype(np.float32)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a film of numbered frames with noise. Equal films are written once: do not change them."""
    folder = tmp_path_factory.mktemp("films")

    @cache
    def make(seconds: float = 3.0, *, frames_per_second: float | Fraction = 25) -> Path:
        path = folder / f"{seconds}s_{Fraction(frames_per_second).as_integer_ratio()}.mp4"
        write_video(
            path,
            numbered_frames(round(seconds * frames_per_second)),
            frames_per_second=frames_per_second,
            waveform_S=noise(seconds),
        )
        return path

    return make


def check_equal(one: Clip, other: Clip) -> None:
    """Fail unless two clips are equal to the last bit."""
    np.testing.assert_array_equal(one.frames_THWC, other.frames_THWC)
    np.testing.assert_array_equal(one.frame_seconds_T, other.frame_seconds_T)
    np.testing.assert_array_equal(one.waveform_S, other.waveform_S)
    assert (one.start_seconds, one.duration_seconds) == (other.start_seconds, other.duration_seconds)


def lag_samples(waveform_S: np.ndarray, reference_S: np.ndarray) -> int:
    """By how many samples `waveform_S` is later than `reference_S`: where they correlate best."""
    size = waveform_S.size + reference_S.size
    correlation = np.fft.irfft(np.fft.rfft(waveform_S, size) * np.conj(np.fft.rfft(reference_S, size)), size)
    lag = int(np.argmax(correlation))
    return lag - size if lag > size // 2 else lag


def write_wav(
    path: Path, samples_CS: NDArray[np.generic], *, rate_hz: int, layout: str, codec: str, sample_format: str
) -> Path:
    """A WAV file of any channels, rate and sample format."""
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        interleaved = np.ascontiguousarray(samples_CS.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format=sample_format, layout=layout)
        frame.sample_rate = rate_hz
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, *, container_format: str) -> Path:
    """The same packets in another container."""
    with av.open(str(source)) as read, av.open(str(target), "w", format=container_format) as write:
        streams = {s.index: write.add_stream_from_template(s) for s in read.streams}
        for packet in read.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                write.mux(packet)
    return target

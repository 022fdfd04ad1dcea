"""Packets of sound with their times, and the samples that a decoder makes of them.

Shapes: S samples, C channels.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from cavmae_sync.media.container import audio_stream, keep_layout, opened
from cavmae_sync.media.continuity import AnyPacket
from cavmae_sync.media.decode import decode_packets
from cavmae_sync.media.packets import Packets, open_packets
from cavmae_sync.paper import SAMPLE_RATE_HZ

#: Channel 0 as stored, which is what the original takes, or the mean of all channels. Neither is always
#: right: a mix is silent where two channels cancel, and the first channel may be empty.
Channel = Literal["first", "mix"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedPacket:
    """A packet of sound and the time it is heard; without a stamp, it follows the packet before."""

    seconds: float
    stop_seconds: float
    packet: AnyPacket


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundChunk:
    """Decoded samples of one channel at the file's own rate; without a stamp, they follow the ones before."""

    seconds: float | None
    rate_hz: int
    samples_S: NDArray[np.float32]


def sound_packets(path: Path, *, from_seconds: float, index: int | None = None) -> Generator[TimedPacket]:
    """Packets of the sound, beginning at or before `from_seconds` where the track does; not decoded.

    Args:
        path: The file.
        from_seconds: Time on the file's timeline.
        index: Another stream than that which is read by default, by its place in the file.

    Raises:
        DecodeError: The file cannot be read on, or the track ends long before its header says.
    """
    with open_packets(path, "audio", index=index) as packets:
        stop = last = seconds = 0.0
        for packet in packets.read(from_seconds=from_seconds):
            known, before = packets.seconds_of(packet), seconds
            # The last packet of Windows Media audio has no stamp.
            seconds = stop if known is None else known
            # Without a length, that of the packet before.
            length = packets.length_of(packet) or seconds - before
            stop = seconds + max(length, 0.0)
            last = max(last, stop)
            yield TimedPacket(seconds=seconds, stop_seconds=stop, packet=packet)
        packets.check_complete("sound", stop_seconds=last)


def decode_sound(path: Path, packets: Iterable[TimedPacket], *, channel: Channel) -> Generator[SoundChunk]:
    """Decoded sound of one channel, by a decoder of its own: equal packets give equal samples.

    Args:
        path: The file of the packets.
        packets: Packets from `sound_packets`, one after the other.
        channel: "first" is channel 0 of the stored layout, taken before any mixing; "mix" is the mean of all
            channels.

    Raises:
        DecodeError: A packet does not decode.
    """
    with opened(path, decoders="none") as container:
        codec = audio_stream(container, path).codec_context.codec.name
    with opened(path, decoders=codec) as container:
        stream = audio_stream(container, path)
        source = Packets(container, stream, path)
        for frame in decode_packets(stream.codec_context, (timed.packet for timed in packets), source):
            keep_layout(frame.layout)
            yield SoundChunk(
                seconds=source.seconds_of_frame(frame),
                rate_hz=frame.sample_rate,
                samples_S=_one_channel(frame, channel),
            )


def _one_channel(frame: AudioFrame, channel: Channel) -> NDArray[np.float32]:
    if channel == "first" and frame.format.name == "fltp":  # most codecs; others are not copied for nothing
        return np.frombuffer(bytes(frame.planes[0]), np.float32, count=frame.samples)
    stored = frame.to_ndarray()
    samples_CS = stored if frame.format.is_planar else stored.reshape(frame.samples, -1).T
    samples_S = samples_CS[0] if channel == "first" else samples_CS.mean(axis=0, dtype=np.float64)
    if np.issubdtype(stored.dtype, np.floating):
        return samples_S.astype(np.float32)
    middle = 128 if stored.dtype == np.uint8 else 0  # 8-bit sound is stored without sign
    full_scale = 2.0 ** (8 * stored.dtype.itemsize - 1)
    return ((samples_S.astype(np.float64) - middle) / full_scale).astype(np.float32)


def resample(
    samples_S: NDArray[np.float32], *, rate_hz: int, wanted_hz: int = SAMPLE_RATE_HZ
) -> NDArray[np.float32]:
    """Mono sound at another rate, by FFmpeg's resampler with its default filter (`ffmpeg -ar 16000`)."""
    if rate_hz == wanted_hz:
        return samples_S
    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted_hz)
    frame = AudioFrame.from_ndarray(samples_S[None], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    frame.pts, frame.time_base = 0, Fraction(1, rate_hz)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([f.to_ndarray().reshape(-1) for f in frames]).astype(np.float32, copy=False)

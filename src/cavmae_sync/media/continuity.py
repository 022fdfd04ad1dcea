"""Closing of leaps in time stamps: a file lasts as long as its data, whatever its stamps say.

Recordings that were interrupted or joined have stamps that leap by minutes or begin again. Players continue
where the data continue, and so does this: a leap that no stream of the file fills is closed, for video and
sound alike (found/ts_jump_97s.ts: two recordings of 3 s, the second stamped 100 s later).
"""

from pathlib import Path
from typing import Any, Final, TypeAlias

from av.audio.stream import AudioStream
from av.packet import Packet

from cavmae_sync.errors import DecodeError

#: A packet of any stream. PyAV's class takes a parameter for type checkers only.
AnyPacket: TypeAlias = "Packet[Any]"

#: A longer time without data of any stream is a leap. Recordings are mostly joined as transport streams, and
#: FFmpeg's command line closes their leaps from ten seconds on; elsewhere a long still frame is more likely.
#: An unclosed leap costs much: 39 kB with a frame stamped 10,000 s (found/gap1e4.mkv) gave clips without end.
LEAP_SECONDS: Final = 60.0
_LEAP_OF_JOINED_SECONDS: Final = 10.0
# A stream whose time of decoding goes back by more has begun again. Less is jitter.
_BACK_SECONDS: Final = 1.0
_BACK_OF_JOINED_SECONDS: Final = 0.1
# Containers write the time to the next packet as the length of a packet; the data in it are shorter.
_FILLED_SECONDS: Final = 1.0
_MAX_REORDER: Final = 16  # frames by which codecs move one
# A slide show has long times without data, but ten minutes of nothing beside a minute of data are wrong
# stamps: a few kB with a frame every 59 s, just below a leap, must not become thousands of clips.
_IDLE_SECONDS: Final = 600.0
_IDLE_RATIO: Final = 3.0


class Continuity:
    """Moves the time stamps of packets, given in file order, so that no leap is left.

    Attributes:
        has_leapt: A leap was closed.
    """

    def __init__(self, path: Path, *, is_joined: bool) -> None:
        """Start at the first packet of a file.

        Args:
            path: For messages.
            is_joined: The container is of a kind whose stamps may begin again (transport streams, Ogg).
        """
        self._path = path
        self._leap = _LEAP_OF_JOINED_SECONDS if is_joined else LEAP_SECONDS
        self._back = _BACK_OF_JOINED_SECONDS if is_joined else _BACK_SECONDS
        self._offsets: dict[
            int, float
        ] = {}  # by stream: where parts join, streams change one after the other
        self._ticks: dict[int, float] = {}
        self._newest = 0.0
        self._last: dict[int, float] = {}
        self._first: float | None = None
        self._stop = 0.0  # latest end of data, over all streams
        self._filled_until = 0.0
        self._idle = 0.0
        self.has_leapt = False

    def close_leap(self, packet: AnyPacket) -> None:
        """Move the stamps of the next packet of the file, so that no leap lies before it.

        Raises:
            DecodeError: Almost all of the time between first and last stamp is without data.
        """
        ticks = packet.dts if packet.pts is None else packet.pts
        if ticks is None:
            return
        index, tick = packet.stream_index, self._tick_seconds(packet)
        stamp = ticks * tick
        # Only times of decoding rise from packet to packet: frames may be stored before earlier ones.
        order = None if packet.dts is None else packet.dts * tick
        offset = self._offsets.get(index, 0.0)
        if self._first is None:
            self._first = self._stop = self._filled_until = stamp
        elif self._leaps(packet, stamp, order, offset):
            if self._leaps(packet, stamp, order, self._newest):
                self._newest = self._stop - stamp
            offset, self.has_leapt = self._newest, True
        self._offsets[index] = offset
        if order is not None:
            self._last[index] = order + offset
        seconds, length = stamp + offset, (packet.duration or 0) * tick
        filled = min(length, _FILLED_SECONDS)
        self._count_idle(seconds, filled)
        # A still frame may last a minute, but sound continues at once. A length beyond a leap is wrong.
        longest = filled if isinstance(packet.stream, AudioStream) or length > self._leap else length
        self._stop = max(self._stop, seconds + longest)
        if offset:
            _move(packet, round(offset / tick))

    def _tick_seconds(self, packet: AnyPacket) -> float:
        # Cached: converting a `Fraction` takes longer than all the rest, and there are millions of packets.
        tick = self._ticks.get(packet.stream_index)
        if tick is None:
            tick = self._ticks[packet.stream_index] = float(packet.time_base)
        return tick

    def _leaps(self, packet: AnyPacket, stamp: float, order: float | None, offset: float) -> bool:
        last = self._last.get(packet.stream_index)
        goes_back = order is not None and last is not None and order + offset < last - self._back
        # A frame stored early is shown some frames later, which in a slide show are minutes.
        ahead = _MAX_REORDER * (packet.duration or 0) * self._tick_seconds(packet)
        return goes_back or stamp + offset - self._stop > self._leap + ahead

    def _count_idle(self, seconds: float, filled: float) -> None:
        self._idle += max(seconds - self._filled_until, 0.0)
        self._filled_until = max(self._filled_until, seconds + filled)
        span = self._filled_until - (self._first or 0.0)
        if self._idle > _IDLE_SECONDS and self._idle > _IDLE_RATIO * (span - self._idle):
            raise DecodeError(
                f"{self._path} has data for {span - self._idle:.1f} s, but its time stamps spread them over "
                f"{span:.0f} s. The stamps are wrong: convert the file again, or remove it."
            )


def _move(packet: AnyPacket, ticks: int) -> None:
    if packet.pts is not None:
        packet.pts += ticks
    if packet.dts is not None:
        packet.dts += ticks

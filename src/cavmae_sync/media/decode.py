"""Running an FFmpeg decoder over the packets of one stream. Damage is an error, with few exceptions."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import av

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.continuity import AnyPacket
from cavmae_sync.media.packets import Packets

_MAX_BAD_FRACTION = 0.01


def decode_packets(decoder: Any, packets: Iterator[AnyPacket], stream: Packets) -> Iterator[Any]:
    """Frames, of video or audio, that a decoder makes of packets.

    Args:
        decoder: PyAV's codec context.
        packets: In file order.
        stream: The stream they come from, for times in messages.

    Raises:
        DecodeError: A packet does not decode. In files of bare audio frames, one bad packet is left out, or
            one in a hundred good ones: such files end where the recording was stopped, often inside a frame.
    """
    num_good = num_bad = 0
    for packet in chain(packets, [None]):  # None makes the decoder give what it holds back
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError as error:
            num_bad += 1
            if packet is None or not stream.is_bare or num_bad > max(num_good * _MAX_BAD_FRACTION, 1):
                kind = "video frame" if stream.stream.type == "video" else "sound"
                seconds = None if packet is None else stream.seconds_of(packet)
                raise damaged(stream.path, kind, seconds or 0.0) from error
            continue
        num_good += 1
        yield from frames


def damaged(path: Path, kind: str, seconds: float) -> DecodeError:
    """Error for data that do not decode."""
    return DecodeError(
        f"{path} is damaged: the {kind} at {seconds:.2f} s does not decode. Fetch it again, or remove it."
    )

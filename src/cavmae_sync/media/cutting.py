"""Cutting a stretch out of a file: streams are copied where that is exact, and encoded again elsewhere.

Pictures can be copied where the stretch begins at a key frame and no frame stored in it is shown outside of
it. PCM sound can be cut between any two samples; other sound cannot, as a decoder needs what came before.
"""

import heapq
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import av
from av.container import OutputContainer

from cavmae_sync.atomic import written_whole
from cavmae_sync.errors import MediaError
from cavmae_sync.media.container import as_decode_errors, reason
from cavmae_sync.media.continuity import AnyPacket
from cavmae_sync.media.cut_encoding import PictureEncoder, add_picture
from cavmae_sync.media.cut_sound import CutSound, sound_streams
from cavmae_sync.media.frame_times import SLACK_SECONDS
from cavmae_sync.media.packets import Packets, open_packets
from cavmae_sync.media.probe import probe
from cavmae_sync.media.proxy import StoppedError
from cavmae_sync.media.video_frames import decode_frames, first_orientation

How = Literal["copied", "encoded"]

#: Containers that a cut is written into, by the ending of its source; the others go into QuickTime, which
#: holds every codec of cameras.
_SUFFIXES: Final = {".mp4": ".mp4", ".m4v": ".mp4", ".mkv": ".mkv", ".webm": ".mkv"}
_MAX_REORDER: Final = 16  # frames by which codecs move one
_FORMATS: Final = {".mov": "mov", ".mp4": "mp4", ".mkv": "matroska"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of a file with a picture.

    Attributes:
        start_seconds: Start of its first frame, on the file's timeline.
        stop_seconds: Start of the frame after its last.
        num_frames: Its frames, as far as they are at equal steps.
        rate: Frames per second, exact.
        is_steady: Whether frames are at equal steps.
        timecode: Timecode of its first frame, which the cut gets as its start; None for none.
    """

    start_seconds: float
    stop_seconds: float
    num_frames: int
    rate: Fraction
    is_steady: bool
    timecode: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """How the streams of a cut were made; None for one that it does not have. A reason is a sentence."""

    picture: How | None
    picture_reason: str
    sound: How | None
    sound_reason: str


def cut_suffix(path: Path) -> str:
    """Ending of a cut of a file with a picture."""
    return _SUFFIXES.get(path.suffix.lower(), ".mov")


def write_cut(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    stretch: Stretch,
    *,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] = bool,
) -> Written:
    """Cut a stretch out of a file with a picture. The cut appears complete or not at all.

    Args:
        path: The file.
        out: File to write, with the ending of `cut_suffix`; replaced if it exists.
        stretch: What to cut.
        on_progress: Called with the share that is done, in [0, 1].
        should_stop: Asked for each frame.

    Raises:
        MediaError: The file cannot be read there.
        StoppedError: `should_stop` said so; nothing is left.
    """
    source = Path(path)
    job = _Job(source, stretch, on_progress=on_progress, should_stop=should_stop)
    with written_whole(Path(out)) as part:
        why_not = _why_not_copied(source, stretch)
        if why_not is None:
            why_not = job.try_copy(part, Path(out).suffix)
        if why_not is None:
            why = "It begins at a key frame, and its frames are stored together."
            return Written(
                picture="copied", picture_reason=why, sound=job.sound, sound_reason=job.sound_reason
            )
        job.write(part, Path(out).suffix, copies=False)
        return Written(
            picture="encoded", picture_reason=why_not, sound=job.sound, sound_reason=job.sound_reason
        )


class _Job:
    """Writing one cut."""

    def __init__(
        self,
        path: Path,
        stretch: Stretch,
        *,
        on_progress: Callable[[float], None] | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self._path = path
        self._stretch = stretch
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._has_sound = bool(probe(path).audio)
        self.sound: How | None = None
        self.sound_reason = "The file has no sound."

    def try_copy(self, part: Path, suffix: str) -> str | None:
        """Copy the picture and look whether it plays; the reason why not, or None."""
        try:
            self.write(part, suffix, copies=True)
        except (av.FFmpegError, ValueError, MediaError) as error:
            return f"A copy of its picture cannot be written here ({reason(error)})."
        return _why_not_played(self._path, part, self._stretch)

    def write(self, part: Path, suffix: str, *, copies: bool) -> None:
        """Write the cut."""
        with ExitStack() as stack:
            if not copies:
                stack.enter_context(as_decode_errors(self._path))
            pictures = stack.enter_context(open_packets(self._path, "video"))
            sounds = self._open_sounds(stack, suffix)
            options = {"movflags": "faststart"} if suffix != ".mkv" else {}
            container = stack.enter_context(av.open(str(part), "w", format=_FORMATS[suffix], options=options))
            parts: list[Iterator[tuple[float, list[AnyPacket]]]] = []
            if copies:
                stream: Any = container.add_stream_from_template(pictures.stream)
                # Without a rate, the writer of QuickTime makes no track of timecode.
                stream.codec_context.framerate = self._stretch.rate
                parts.append(_copied(pictures, stream, self._stretch))
            else:
                encoder = add_picture(container, self._path, rate=self._stretch.rate)
                stream = encoder.stream
                parts.append(self._encoded(encoder))
            self._name_start(container, stream, suffix)
            parts += [sound.packets(container) for sound in sounds]
            for seconds, packets in heapq.merge(*parts, key=lambda timed: timed[0]):
                if self._should_stop():
                    raise StoppedError
                container.mux(packets)
                if self._on_progress is not None:
                    length = self._stretch.stop_seconds - self._stretch.start_seconds
                    self._on_progress(min(max(seconds / length, 0.0), 1.0))

    def _open_sounds(self, stack: ExitStack, suffix: str) -> list[CutSound]:
        """All sound streams of the file that have sound there."""
        if not self._has_sound:
            return []
        span = self._stretch.start_seconds, self._stretch.stop_seconds
        opened = [
            stack.enter_context(closing(CutSound(self._path, *span, suffix=suffix, index=index)))
            for index in sound_streams(self._path)
        ]
        sounds = [sound for sound in opened if sound.is_there]
        self.sound, self.sound_reason = None, "The file has no sound there."
        if sounds:
            self.sound = "copied" if all(sound.how == "copied" for sound in sounds) else "encoded"
            self.sound_reason = " ".join(dict.fromkeys(sound.reason for sound in sounds))
        return sounds

    def _name_start(self, container: OutputContainer, stream: Any, suffix: str) -> None:
        if self._stretch.timecode is None:
            return
        if suffix == ".mkv":
            container.metadata["timecode"] = self._stretch.timecode
        else:
            stream.metadata["timecode"] = self._stretch.timecode

    def _encoded(self, encoder: PictureEncoder) -> Iterator[tuple[float, list[AnyPacket]]]:
        stretch = self._stretch
        number = 0
        with closing(decode_frames(self._path, from_seconds=stretch.start_seconds)) as frames:
            for frame in frames:
                seconds = frame.seconds - stretch.start_seconds
                if seconds < -SLACK_SECONDS:
                    continue
                if frame.seconds >= stretch.stop_seconds - SLACK_SECONDS:
                    break
                at = number / stretch.rate if stretch.is_steady else Fraction(max(seconds, 0.0))
                yield max(seconds, 0.0), encoder.encode(frame.av_frame, at)
                number += 1
        yield stretch.stop_seconds - stretch.start_seconds, encoder.finish()


def _why_not_copied(path: Path, stretch: Stretch) -> str | None:
    """Reason why the picture of a stretch cannot be copied; None where it can. Nothing is decoded."""
    with open_packets(path, "video") as packets:
        if not packets.has_showing_times:
            return "The file does not say when its frames are shown, only when they are decoded."
        stored = _stored(packets, stretch)
        last_key: float | None = None
        for seconds, is_key in stored:
            if is_key and abs(seconds - stretch.start_seconds) <= SLACK_SECONDS:
                others = [at for at, _ in stored]
                break
            if is_key and seconds < stretch.start_seconds:
                last_key = seconds
        else:
            where = "" if last_key is None else f"; the one before it is at {last_key:.3f} s"
            return f"It does not begin at a key frame{where}."
    inside = [_is_inside(seconds, stretch) for seconds in others]
    if all(inside[: sum(inside)]):
        return None
    return "Frames of it are stored among frames that are shown before or after it."


def _stored(packets: Packets, stretch: Stretch) -> Generator[tuple[float, bool]]:
    """Times of frames as they are stored, with whether each is a key frame, until a stretch is over."""
    num_after = 0
    for packet in packets.read(from_seconds=stretch.start_seconds):
        seconds = packets.seconds_of(packet)
        if seconds is None or packet.is_discard:
            continue
        num_after += seconds >= stretch.stop_seconds - SLACK_SECONDS
        if num_after > _MAX_REORDER:
            return
        yield seconds, packet.is_keyframe


def _is_inside(seconds: float, stretch: Stretch) -> bool:
    return stretch.start_seconds - SLACK_SECONDS <= seconds < stretch.stop_seconds - SLACK_SECONDS


def _copied(packets: Packets, stream: Any, stretch: Stretch) -> Generator[tuple[float, list[AnyPacket]]]:
    """Packets of the stretch, with times from its start."""
    tick = packets.stream.time_base or Fraction(1)
    zero: int | None = None
    for packet in packets.read(from_seconds=stretch.start_seconds):
        seconds = packets.seconds_of(packet)
        if seconds is None or packet.is_discard:
            continue
        if zero is None:
            if not (packet.is_keyframe and abs(seconds - stretch.start_seconds) <= SLACK_SECONDS):
                continue
            zero = packet.pts or 0
        if not _is_inside(seconds, stretch):
            return
        packet.pts = None if packet.pts is None else packet.pts - zero
        packet.dts = None if packet.dts is None else packet.dts - zero
        packet.time_base = tick
        packet.stream = stream
        yield max(seconds - stretch.start_seconds, 0.0), [packet]


def _why_not_played(source: Path, cut: Path, stretch: Stretch) -> str | None:
    """Reason why a copied picture does not play as the stretch does; None where it does. It is decoded."""
    try:
        with closing(decode_frames(cut, from_seconds=0.0)) as frames:
            times = [frame.seconds for frame in frames]
        is_turned_alike = first_orientation(cut) == first_orientation(source)
    except MediaError as error:
        return f"A copy of its picture does not play ({type(error).__name__})."
    if stretch.is_steady and len(times) != stretch.num_frames:
        return f"A copy of its picture plays {len(times)} frames instead of {stretch.num_frames}."
    if not is_turned_alike:
        return "A copy of its picture would stand another way up."
    return None

"""Sequence of an edit: moments one after the other, in frames of their files and of the sequence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from cavmae_sync.edit.moments import EditMoment
from cavmae_sync.edit.names import one_line
from cavmae_sync.edit.source import EditSource
from cavmae_sync.edit.timecode import Timecode, may_drop
from cavmae_sync.errors import ConfigError

#: Rate of a sequence of nothing but sound, unless another is given: a frame is 40 ms, exactly.
SOUND_RATE: Final = Fraction(25)
#: Where sequences begin, by custom.
START: Final = "01:00:00:00"
_PIXELS: Final = (1920, 1080)
_SAMPLE_RATE_HZ: Final = 48_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceOptions:
    """Options of a sequence.

    Attributes:
        rate: Frames per second, exact; None takes that of the first moment with a picture, or 25.
        is_drop: Whether its timecode is drop frame; None takes what the first file with that rate has.
        start: Timecode at which it begins.
    """

    rate: Fraction | None = None
    is_drop: bool | None = None
    start: str = START


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A moment in a sequence.

    Attributes:
        number: From 1.
        moment: The moment.
        rate: Rate at which its file is counted: that of its picture; of the sequence for sound alone.
        first: First frame, counted from frame 0 of the file.
        stop: The frame after the last.
        source_start: Timecode of frame 0 of the file.
        record_first: First frame in the sequence, counted from its beginning.
        record_stop: The frame after the last.
    """

    number: int
    moment: EditMoment
    rate: Fraction
    first: int
    stop: int
    source_start: Timecode
    record_first: int
    record_stop: int

    @property
    def source(self) -> EditSource:
        """Its file."""
        return self.moment.source

    @property
    def source_in(self) -> Timecode:
        """Timecode of its first frame in the file."""
        return self.source_start.later(self.first)

    @property
    def source_out(self) -> Timecode:
        """Timecode of the frame after its last, in the file."""
        return self.source_start.later(self.stop)

    @property
    def length(self) -> int:
        """Frames of the whole file."""
        return self.source.length(self.rate)

    @property
    def name(self) -> str:
        """Name, in one line."""
        return one_line(self.moment.title) or f"moment {self.number}"

    @property
    def note(self) -> str:
        """Note, in one line."""
        return one_line(self.moment.note)


@dataclass(frozen=True, kw_only=True, slots=True)
class EditSequence:
    """Moments one after the other.

    Attributes:
        title: Name.
        start: Timecode at which it begins; its rate is that of the sequence.
        events: Moments in it.
        width: Pixels of its picture.
        height: Pixels of its picture.
        sample_rate_hz: Samples per second of its sound.
    """

    title: str
    start: Timecode
    events: tuple[Event, ...]
    width: int
    height: int
    sample_rate_hz: int

    @property
    def rate(self) -> Fraction:
        """Frames per second, exact."""
        return self.start.rate

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.events[-1].record_stop

    @property
    def has_video(self) -> bool:
        """Whether any moment has a picture."""
        return any(event.source.has_video for event in self.events)

    @property
    def num_channels(self) -> int:
        """Most channels of any moment."""
        return max(event.source.num_channels for event in self.events)

    def record_in(self, event: Event) -> Timecode:
        """Timecode of a moment's first frame in the sequence."""
        return self.start.later(event.record_first)

    def record_out(self, event: Event) -> Timecode:
        """Timecode of the frame after its last in the sequence."""
        return self.start.later(event.record_stop)

    def sources(self) -> dict[Path, Event]:
        """Each file once, with the first moment of it."""
        found: dict[Path, Event] = {}
        for event in self.events:
            found.setdefault(event.source.path, event)
        return found


def make_sequence(
    moments: Sequence[EditMoment], *, title: str, options: SequenceOptions = SequenceOptions()
) -> EditSequence:
    """Lay moments one after the other, in the order given.

    A moment lasts in the sequence as long as in its file, rounded to a frame of the sequence, half up, and
    one frame at least. Each file keeps its own rate for its in and out points.

    Raises:
        ConfigError: There is no moment, a moment is not in its file, or a rate or timecode is none.
    """
    if not moments:
        raise ConfigError("There is no moment to export. Choose one at least.")
    pictures = [moment.source for moment in moments if moment.source.has_video]
    rate = options.rate or (pictures[0].grid(SOUND_RATE) if pictures else SOUND_RATE)
    start = _start(rate, options, pictures)
    events: list[Event] = []
    position = 0
    for number, moment in enumerate(moments, start=1):
        own = moment.source.grid(rate)
        first, stop = moment.source.frames(moment.start_seconds, moment.stop_seconds, rate=rate)
        length = max(1, math.floor((stop - first) / own * rate + Fraction(1, 2)))
        events.append(
            Event(
                number=number,
                moment=moment,
                rate=own,
                first=first,
                stop=stop,
                source_start=moment.source.start(rate, is_drop=start.is_drop),
                record_first=position,
                record_stop=position + length,
            )
        )
        position += length
    hz = next((m.source.sample_rate_hz for m in moments if m.source.sample_rate_hz), _SAMPLE_RATE_HZ)
    size = (pictures[0].width, pictures[0].height) if pictures else _PIXELS
    return EditSequence(
        title=one_line(title) or "moments",
        start=start,
        events=tuple(events),
        width=size[0] or _PIXELS[0],
        height=size[1] or _PIXELS[1],
        sample_rate_hz=hz,
    )


def _start(rate: Fraction, options: SequenceOptions, pictures: Sequence[EditSource]) -> Timecode:
    given = Timecode.parse(options.start, rate)
    is_drop = options.is_drop
    if is_drop is None:
        known = [each.timecode for each in pictures if each.timecode is not None and each.rate == rate]
        is_drop = given.is_drop or (may_drop(rate) and bool(known) and known[0].is_drop)
    mark = ";" if is_drop else ":"
    if is_drop and not may_drop(rate):
        Timecode(frame=0, rate=rate, is_drop=True)  # says why there is none
    return Timecode.parse(f"{options.start[:8]}{mark}{options.start[9:]}", rate)

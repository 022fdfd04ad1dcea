"""Videos with planted faults: clips joined end to end, and a plan of which sound is heard when.

The plan says for each moment from which clip, and from which time in it, its sound is. The same plan makes a
waveform for a model and vectors of the truth for the oracle, so both encode the same video.

Letters: T moments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

PlantedFault = Literal["none", "foreign span", "silent span", "shifted", "foreign throughout"]
PLANTED_FAULTS: Final[tuple[PlantedFault, ...]] = get_args(PlantedFault)
#: What the sound of a moment is to its frame.
MomentKind = Literal["own", "foreign", "silent"]
#: Length of a planted span.
SPAN_SECONDS: Final = 15.0
#: Largest planted shift.
MAX_SHIFT_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundSpan:
    """Span of a planted video whose sound is from one clip.

    Attributes:
        start_seconds: In the planted video.
        stop_seconds: Its end.
        clip: Number of the clip whose sound it is; None is digital silence.
        clip_seconds: Time in that clip at which its sound begins.
    """

    start_seconds: float
    stop_seconds: float
    clip: int | None
    clip_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantedVideo:
    """Clips joined end to end, and their sound with a fault.

    Attributes:
        fault: What is wrong with it.
        clips: Numbers of the clips whose frames follow one another.
        clip_seconds: Length of each.
        sound: Where its sound is from, without gaps.
        fault_span: Start and stop of the fault in seconds; None where it is nowhere or throughout.
        shift_seconds: How late the sound is.
    """

    fault: PlantedFault
    clips: tuple[int, ...]
    clip_seconds: float
    sound: tuple[SoundSpan, ...]
    fault_span: tuple[float, float] | None = None
    shift_seconds: float = 0.0

    @property
    def duration_seconds(self) -> float:
        """Length of the video."""
        return self.clip_seconds * len(self.clips)


def plant_fault(
    clips: Sequence[int],
    *,
    clip_seconds: float,
    foreign: Sequence[int],
    fault: PlantedFault,
    generator: np.random.Generator,
) -> PlantedVideo:
    """Plan one video.

    Args:
        clips: Numbers of the clips that are seen.
        clip_seconds: Length of a clip.
        foreign: As many other clips, whose sound is foreign to what is seen.
        fault: What to plant. A shift is drawn between -2 and 2 s; what it pushes out at one end comes in at
            the other. A span is 15 s long, or a quarter of the video, and begins anywhere.
        generator: Of places and shifts.
    """
    total = clip_seconds * len(clips)
    own, other = (_joined_sound(row, clip_seconds) for row in (clips, foreign))
    fault_span = None
    shift = 0.0
    if fault in {"foreign span", "silent span"}:
        length = min(SPAN_SECONDS, total / 4)
        start = float(generator.uniform(0, total - length))
        stop = start + length
        fault_span = (start, stop)
        silence = SoundSpan(start_seconds=start, stop_seconds=stop, clip=None, clip_seconds=0.0)
        planted = [silence] if fault == "silent span" else _cut(other, start, stop)
        sound = [*_cut(own, 0, start), *planted, *_cut(own, stop, total)]
    elif fault == "shifted":
        shift = float(generator.uniform(-MAX_SHIFT_SECONDS, MAX_SHIFT_SECONDS))
        border = -shift % total
        sound = [*_moved(_cut(own, border, total), -border), *_moved(_cut(own, 0, border), total - border)]
    else:
        sound = other if fault == "foreign throughout" else own
    return PlantedVideo(
        fault=fault,
        clips=tuple(clips),
        clip_seconds=clip_seconds,
        sound=tuple(sound),
        fault_span=fault_span,
        shift_seconds=shift,
    )


def moment_kinds(
    video: PlantedVideo, seconds_T: NDArray[np.float64], *, margin_seconds: float
) -> Mapping[MomentKind, NDArray[np.bool_]]:
    """Mask of the moments of each kind, bool [T]; those near an end of the fault are of none."""
    all_T = np.ones(len(seconds_T), dtype=np.bool_)
    none_T = ~all_T
    if video.fault_span is None:
        is_foreign = video.fault == "foreign throughout"
        return {
            "own": none_T if is_foreign or video.fault == "shifted" else all_T,
            "foreign": all_T if is_foreign else none_T,
            "silent": none_T,
        }
    start, stop = video.fault_span
    inside_T = (seconds_T >= start + margin_seconds) & (seconds_T <= stop - margin_seconds)
    outside_T = (seconds_T <= start - margin_seconds) | (seconds_T >= stop + margin_seconds)
    is_silence = video.fault == "silent span"
    return {
        "own": outside_T,
        "foreign": none_T if is_silence else inside_T,
        "silent": inside_T if is_silence else none_T,
    }


def _joined_sound(clips: Sequence[int], clip_seconds: float) -> list[SoundSpan]:
    return [
        SoundSpan(
            start_seconds=n * clip_seconds, stop_seconds=(n + 1) * clip_seconds, clip=clip, clip_seconds=0.0
        )
        for n, clip in enumerate(clips)
    ]


def _cut(sound: Sequence[SoundSpan], start: float, stop: float) -> list[SoundSpan]:
    cut = []
    for span in sound:
        first, last = max(span.start_seconds, start), min(span.stop_seconds, stop)
        if last > first:
            at = span.clip_seconds + first - span.start_seconds
            cut.append(replace(span, start_seconds=first, stop_seconds=last, clip_seconds=at))
    return cut


def _moved(sound: Sequence[SoundSpan], by: float) -> list[SoundSpan]:
    return [
        replace(span, start_seconds=span.start_seconds + by, stop_seconds=span.stop_seconds + by)
        for span in sound
    ]

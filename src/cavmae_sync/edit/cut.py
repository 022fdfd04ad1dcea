"""Clips of moments: each in a file of its own, exact to the frame and to the sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cavmae_sync.edit.moments import EditMoment
from cavmae_sync.edit.names import safe_file_name
from cavmae_sync.edit.sequence import Event, SequenceOptions, make_sequence
from cavmae_sync.errors import ConfigError
from cavmae_sync.media.cut_sound import sound_suffix, write_sound_cut
from cavmae_sync.media.cutting import How, Stretch, cut_suffix, write_cut


@dataclass(frozen=True, kw_only=True, slots=True)
class CutClip:
    """A clip that was cut.

    Attributes:
        moment: The moment.
        path: Its file.
        picture: Whether its picture was copied or encoded again; None where there is none.
        picture_reason: Why, in a sentence.
        sound: Whether its sound was copied or encoded again; None where there is none.
        sound_reason: Why, in a sentence.
        start_seconds: Where it begins in its source: at the frame on screen at the start of the moment.
        stop_seconds: Where it ends there.
    """

    moment: EditMoment
    path: Path
    picture: How | None
    picture_reason: str
    sound: How | None
    sound_reason: str
    start_seconds: float
    stop_seconds: float


def cut(
    moments: Sequence[EditMoment],
    folder: Path,
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = bool,
) -> list[CutClip]:
    """Cut moments out of their files, each into a file of its own, which appears complete or not at all.

    Args:
        moments: The moments.
        folder: Folder for the clips; it is made.
        overwrite: Whether files that are there already are replaced.
        on_progress: Called with thousandths that are done, and all of them.
        should_stop: Asked for each frame.

    Returns:
        What was written, in the order of the moments.

    Raises:
        ConfigError: A file is there already, or a moment is not in its file.
        MediaError: A file cannot be read there.
        StoppedError: `should_stop` said so; clips that were complete stay.
    """
    sequence = make_sequence(moments, title="clips", options=SequenceOptions())
    paths = [folder / clip_name(event, len(sequence.events)) for event in sequence.events]
    there = [path for path in paths if path.exists()]
    if there and not overwrite:
        raise ConfigError(
            f"{there[0]} is there already, and {len(there) - 1} more clips. Name another folder, or allow "
            "them to be replaced."
        )
    folder.mkdir(parents=True, exist_ok=True)
    made: list[CutClip] = []
    total = 1000 * len(paths)
    for event, path in zip(sequence.events, paths, strict=True):
        done = 1000 * len(made)

        def tell(share: float, done: int = done) -> None:
            if on_progress is not None:
                on_progress(done + round(1000 * share), total)

        made.append(_cut_one(event, path, tell, should_stop))
        tell(1.0)
    return made


def clip_name(event: Event, num_events: int) -> str:
    """Name of the file of a clip: its number, its name, its timecode."""
    digits = max(2, len(str(num_events)))
    source = event.source
    suffix = cut_suffix(source.path) if source.has_video else sound_suffix(source.path)
    stem = event.moment.name or source.path.stem
    timecode = str(event.source_in).replace(":", "-").replace(";", "-")
    return f"{event.number:0{digits}d} {safe_file_name(stem)} {timecode}{suffix}"


def _cut_one(
    event: Event, path: Path, tell: Callable[[float], None], should_stop: Callable[[], bool]
) -> CutClip:
    source, moment = event.source, event.moment
    if source.rate is None:
        start, stop = moment.start_seconds, min(moment.stop_seconds, source.duration_seconds)
        how, why = write_sound_cut(
            source.path,
            path,
            start_seconds=start,
            stop_seconds=stop,
            on_progress=tell,
            should_stop=should_stop,
        )
        picture, picture_reason, sound, sound_reason = None, "The file has no picture.", how, why
    else:
        start = source.seconds_of(event.first, rate=source.rate)
        stop = source.seconds_of(event.stop, rate=source.rate)
        stretch = Stretch(
            start_seconds=start,
            stop_seconds=stop,
            num_frames=event.stop - event.first,
            rate=source.rate,
            is_steady=source.is_steady,
            timecode=str(event.source_in),
        )
        written = write_cut(source.path, path, stretch, on_progress=tell, should_stop=should_stop)
        picture, picture_reason = written.picture, written.picture_reason
        sound, sound_reason = written.sound, written.sound_reason
    return CutClip(
        moment=moment,
        path=path,
        picture=picture,
        picture_reason=picture_reason,
        sound=sound,
        sound_reason=sound_reason,
        start_seconds=start,
        stop_seconds=stop,
    )

"""Files to clips: one at a given time, or all of a long file in one pass.

The usable stretch of a file goes from its first picture to the end of its last; sound beyond the picture is
not used, and where the sound is shorter there is silence. Both ways of reading are one: a clip read by
itself is the only clip of a pass.

Shapes: T frames per clip, H W pixels, C channels, S samples.
"""

import heapq
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import ClipTooShortError, DecodeError
from cavmae_sync.media import container as files
from cavmae_sync.media import decode
from cavmae_sync.media.clip import Clip
from cavmae_sync.media.decode import Channel
from cavmae_sync.media.sampling import SamplingRule, sample_times
from cavmae_sync.media.screen import Screen
from cavmae_sync.media.sound import SoundTrack
from cavmae_sync.media.timeline import SLACK_SECONDS, Stretch, Timeline
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES, SAMPLE_RATE_HZ

_BLOCK_SECONDS = 10.0


#: What is kept of a picture: uint8 [H, W, C] in, uint8 [h, w, C] out.
Keep = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What every clip of a pass has in common."""

    clip_seconds: float
    hop_seconds: float | None  # None: one clip only
    num_frames: int
    sampling: SamplingRule
    channel: Channel
    min_seconds: float
    with_sound: bool = True
    keep: Keep | None = None

    def __post_init__(self) -> None:
        has_hop = self.hop_seconds is None or self.hop_seconds > 0
        if not (self.clip_seconds > 0 and has_hop and self.num_frames > 0):
            raise ValueError(
                "clip_seconds, hop_seconds and num_frames must be positive, got "
                f"{self.clip_seconds}, {self.hop_seconds} and {self.num_frames}"
            )


class _Draft:
    """A clip whose frames are being filled in: only what is kept of them is held."""

    def __init__(self, stretch: Stretch, times_T: NDArray[np.float64], keep: Keep | None) -> None:
        self.stretch = stretch
        self.times_T = times_T
        self._keep = keep
        self._frames_THWC = np.empty(0, np.uint8)
        self._sizes: set[tuple[int, ...]] = set()
        self.num_frames = 0

    def add(self, frame_HWC: NDArray[np.uint8], *, path: Path) -> None:
        """Take the next frame."""
        self._sizes.add(frame_HWC.shape)
        if len(self._sizes) > 1:
            raise DecodeError(
                f"{path} changes its picture size in a clip: {sorted(self._sizes)}. Convert it to one."
            )
        kept_HWC = frame_HWC if self._keep is None else self._keep(frame_HWC)
        if self.num_frames == 0:
            self._frames_THWC = np.empty((len(self.times_T), *kept_HWC.shape), np.uint8)
        self._frames_THWC[self.num_frames] = kept_HWC
        self.num_frames += 1

    def to_clip(self, sound: SoundTrack | None) -> Clip:
        start, duration = self.stretch.start_seconds, self.stretch.duration_seconds
        waveform_S = np.empty(0, np.float32)
        if sound is not None:
            waveform_S = sound.take(start_seconds=start, num_samples=round(duration * SAMPLE_RATE_HZ))
        return Clip(
            frames_THWC=self._frames_THWC,
            frame_seconds_T=self.times_T,
            waveform_S=waveform_S,
            start_seconds=start,
            duration_seconds=duration,
        )


def read_clip(
    path: str | os.PathLike[str],
    *,
    start_seconds: float = 0.0,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
    channel: Channel = "first",
    min_seconds: float = 0.05,
) -> Clip:
    """The clip that starts at `start_seconds`, with its frames and its sound.

    Args:
        path: Video file.
        start_seconds: On the file's timeline, on which 0 is what players show as 0. Where the picture
            begins later than that, the clip begins with the picture.
        clip_seconds: Length wanted; a clip at the end of the file is as long as what is left.
        num_frames: How many frames.
        sampling: Which moments become frames; see `sample_times`.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.
        min_seconds: Refuse less than this. The default refuses a single picture but little else.

    Raises:
        UnreadableFileError: Missing, a folder, empty, or not a media file.
        NoVideoStreamError: No moving picture.
        NoAudioStreamError: No sound.
        ClipTooShortError: Less picture than `min_seconds` from `start_seconds` on.
        DecodeError: Damaged in the stretch that is used, or cut off.
        ValueError: Lengths or counts that are not positive.
    """
    if not start_seconds >= 0:
        raise ValueError(f"start_seconds must not be negative, got {start_seconds}")
    plan = _Plan(
        clip_seconds=clip_seconds,
        hop_seconds=None,
        num_frames=num_frames,
        sampling=sampling,
        channel=channel,
        min_seconds=min_seconds,
    )
    with closing(_clips(Path(path), start_seconds, plan)) as clips:
        return next(clips)


def iterate_clips(
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    hop_seconds: float | None = None,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
    channel: Channel = "first",
    min_seconds: float = 1.0,
    keep: Keep | None = None,
) -> Generator[Clip]:
    """All clips of a file, in one pass and in little memory however long the file is.

    Each is what `read_clip` gives at its `start_seconds`. A rest shorter than `min_seconds` is left out.
    Close the generator, or use it up, to close the file.

    Args:
        path: Video file.
        clip_seconds: Length of a clip; the last may be shorter.
        hop_seconds: From one start to the next; by default the clips follow one another.
        num_frames: How many frames each.
        sampling: Which moments become frames; see `sample_times`.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.
        min_seconds: Shortest clip.
        keep: What is kept of each picture, such as a smaller one; otherwise all of it. Sixteen frames of 8K
            are 1.7 GB.

    Raises:
        ClipTooShortError: The whole file is shorter than `min_seconds`.
        MediaError: Others as `read_clip`, when the pass reaches the place.
    """
    plan = _Plan(
        clip_seconds=clip_seconds,
        hop_seconds=clip_seconds if hop_seconds is None else hop_seconds,
        num_frames=num_frames,
        sampling=sampling,
        channel=channel,
        min_seconds=min_seconds,
        keep=keep,
    )
    return _clips(Path(path), 0.0, plan)


def read_frames(
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
    min_seconds: float = 0.05,
) -> NDArray[np.uint8]:
    """The pictures of a file's first clip, those of `read_clip`; the file need not have sound.

    Args:
        path: Video file.
        clip_seconds: Length wanted; less where the file is shorter.
        num_frames: How many frames.
        sampling: Which moments become frames; see `sample_times`.
        min_seconds: Refuse less than this.

    Returns:
        RGB, uint8 [T, H, W, C].

    Raises:
        MediaError: As `read_clip`, but for what concerns sound.
    """
    plan = _Plan(
        clip_seconds=clip_seconds,
        hop_seconds=None,
        num_frames=num_frames,
        sampling=sampling,
        channel="first",
        min_seconds=min_seconds,
        with_sound=False,
    )
    with closing(_clips(Path(path), 0.0, plan)) as clips:
        return next(clips).frames_THWC


def read_audio(
    path: str | os.PathLike[str],
    *,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    channel: Channel = "first",
) -> NDArray[np.float32]:
    """Sound of a video or sound file: float32 in [-1, 1], mono, 16 kHz.

    Args:
        path: File with sound.
        start_seconds: On the file's timeline; sample 0 is there.
        duration_seconds: Length wanted; None is all there is. Ends early where the track does.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.

    Raises:
        UnreadableFileError: Missing, a folder, empty, or not a media file.
        NoAudioStreamError: No sound.
        ClipTooShortError: The track ends before `start_seconds`.
        DecodeError: Damaged in the stretch that is used, or cut off.
    """
    file = Path(path)
    stop = float("inf") if duration_seconds is None else start_seconds + duration_seconds
    if not (start_seconds >= 0 and stop > start_seconds):
        raise ValueError(f"need start >= 0 and duration > 0, got {start_seconds} and {duration_seconds}")
    blocks: list[NDArray[np.float32]] = []
    with (
        files.faults_of(file),
        closing(SoundTrack(file, from_seconds=start_seconds, channel=channel)) as track,
    ):
        at = start_seconds
        while at < stop:
            block_stop = min(at + _BLOCK_SECONDS, stop)
            block_S = track.take(start_seconds=at, num_samples=round((block_stop - at) * SAMPLE_RATE_HZ))
            end = track.stop_seconds
            if end is not None and end < block_stop:
                blocks.append(block_S[: max(round((end - at) * SAMPLE_RATE_HZ), 0)])
                break
            blocks.append(block_S)
            at = block_stop
    waveform_S = np.concatenate(blocks)
    if waveform_S.size == 0:
        raise ClipTooShortError(
            f"{file} has {track.stop_seconds or 0.0:.2f} s of sound, but sound from {start_seconds:.2f} s on "
            "was asked for. Ask for an earlier start."
        )
    return waveform_S


def _clips(path: Path, from_seconds: float, plan: _Plan) -> Generator[Clip]:
    """Clips in order. Frames of clips that overlap are taken in order of time: all is decoded once."""
    files.check_streams(path, with_sound=plan.with_sound)
    with (
        files.faults_of(path),
        closing(decode.picture_times(path, from_seconds=from_seconds)) as times,
        closing(SoundTrack(path, from_seconds=from_seconds, channel=plan.channel)) as sound,
        closing(decode.pictures(path, from_seconds=from_seconds)) as pictures,
    ):
        drafts = _drafts(Timeline(times, path=path), path, from_seconds, plan)
        screen: Screen | None = None
        upcoming = next(drafts, None)
        due: list[tuple[float, int, int]] = []  # time, clip, frame
        begun: dict[int, _Draft] = {}
        numbers = count()
        while due or upcoming is not None:
            if upcoming is not None and (not due or upcoming.stretch.start_seconds <= due[0][0]):
                number = next(numbers)
                begun[number] = upcoming
                for index, seconds in enumerate(upcoming.times_T):
                    heapq.heappush(due, (upcoming.stretch.start_seconds + float(seconds), number, index))
                upcoming = next(drafts, None)
                continue
            seconds, number, _ = heapq.heappop(due)
            screen = screen or Screen(pictures, path=path)
            draft = begun[number]
            draft.add(screen.shown_at(seconds), path=path)
            if draft.num_frames == plan.num_frames:
                yield begun.pop(number).to_clip(sound if plan.with_sound else None)


def _drafts(timeline: Timeline, path: Path, from_seconds: float, plan: _Plan) -> Iterator[_Draft]:
    first = max(from_seconds, timeline.first_seconds)
    for number in count():
        start = first + number * (plan.hop_seconds or 0.0)
        stretch = timeline.stretch(start_seconds=start, length_seconds=plan.clip_seconds)
        left = stretch.duration_seconds
        if left <= 0 or left + SLACK_SECONDS < plan.min_seconds:
            if number == 0:
                raise ClipTooShortError(
                    f"{path} has {max(left, 0.0):.3f} s of picture from {start:.3f} s on, but at least "
                    f"{plan.min_seconds:.3f} s are needed. Start earlier, allow shorter clips, or remove it."
                )
            return
        times_T = sample_times(
            plan.sampling,
            num_frames=plan.num_frames,
            duration_seconds=left,
            last_frame_seconds=stretch.last_frame_seconds,
            frame_period_seconds=stretch.frame_period_seconds,
        )
        yield _Draft(stretch, times_T, plan.keep)
        if plan.hop_seconds is None:
            return

"""Reading clips of a file: one at a given time, or all of a long file in one pass.

The usable part of a file goes from its first frame to the end of its last. Sound after the video is not used;
where the sound is shorter there is silence. Both ways of reading are one: a clip read by itself is the only
clip of a pass. Frames are decoded in order, never sought one by one: sixteen seeks into ten seconds of 720p
took 1.5 s, one pass 0.45 s.

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
from cavmae_sync.media.clip import Clip
from cavmae_sync.media.container import as_decode_errors, check_streams
from cavmae_sync.media.frame_times import SLACK_SECONDS, ClipTiming, FrameTimes
from cavmae_sync.media.sampling import SamplingRule, sample_times, times_at_step
from cavmae_sync.media.screen import Screen
from cavmae_sync.media.sound_chunks import Channel
from cavmae_sync.media.sound_track import SoundTrack
from cavmae_sync.media.video_frames import decode_frames, frame_times
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES, SAMPLE_RATE_HZ

_BLOCK_SECONDS = 10.0  # of sound, converted at once by `read_audio`

#: Change made to each frame as soon as it is decoded: uint8 [H, W, C] in, uint8 [h, w, C] out.
FrameTransform = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _ClipOptions:
    """Options that all clips of a pass share."""

    clip_seconds: float
    hop_seconds: float | None  # None: one clip only
    num_frames: int
    sampling: SamplingRule
    channel: Channel
    min_seconds: float
    with_sound: bool = True
    keeps_step: bool = False
    transform_frame: FrameTransform | None = None
    sample_rate_hz: int = SAMPLE_RATE_HZ

    def __post_init__(self) -> None:
        has_hop = self.hop_seconds is None or self.hop_seconds > 0
        if not (self.clip_seconds > 0 and has_hop and self.num_frames > 0):
            raise ValueError(
                "clip_seconds, hop_seconds and num_frames must be positive, got "
                f"{self.clip_seconds}, {self.hop_seconds} and {self.num_frames}"
            )

    def times_of(self, timing: ClipTiming) -> NDArray[np.float64]:
        """Times of the frames of a clip, from its start."""
        left = timing.duration_seconds
        if self.keeps_step and left < self.clip_seconds - SLACK_SECONDS:
            step = self.clip_seconds / self.num_frames
            return times_at_step(self.sampling, step_seconds=step, duration_seconds=left)
        return sample_times(
            self.sampling,
            num_frames=self.num_frames,
            duration_seconds=left,
            last_frame_seconds=timing.last_frame_seconds,
            frame_period_seconds=timing.frame_period_seconds,
        )


class _Draft:
    """A clip whose frames are being filled in."""

    def __init__(
        self, timing: ClipTiming, times_T: NDArray[np.float64], transform_frame: FrameTransform | None
    ) -> None:
        self.timing = timing
        self.times_T = times_T
        self._transform = transform_frame
        self._frames_THWC = np.empty(0, np.uint8)
        self._sizes: set[tuple[int, ...]] = set()
        self.num_frames = 0

    def add(self, frame_HWC: NDArray[np.uint8], *, path: Path) -> None:
        """Add the next frame, transformed."""
        self._sizes.add(frame_HWC.shape)
        if len(self._sizes) > 1:
            raise DecodeError(
                f"{path} changes its frame size within a clip: {sorted(self._sizes)}. Convert it to one size."
            )
        kept_HWC = frame_HWC if self._transform is None else self._transform(frame_HWC)
        if self.num_frames == 0:
            self._frames_THWC = np.empty((len(self.times_T), *kept_HWC.shape), np.uint8)
        self._frames_THWC[self.num_frames] = kept_HWC
        self.num_frames += 1

    def to_clip(self, sound: SoundTrack | None, *, sample_rate_hz: int) -> Clip:
        start, duration = self.timing.start_seconds, self.timing.duration_seconds
        waveform_S = np.empty(0, np.float32)
        if sound is not None:
            waveform_S = sound.take(start_seconds=start, num_samples=round(duration * sample_rate_hz))
        return Clip(
            frames_THWC=self._frames_THWC,
            frame_seconds_T=self.times_T,
            waveform_S=waveform_S,
            sample_rate_hz=sample_rate_hz,
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
    """Read the clip that starts at `start_seconds`, with its frames and its sound.

    Args:
        path: Video file.
        start_seconds: Start on the file's timeline, on which 0 is what players show as 0. Where the video
            begins later, the clip begins with the video.
        clip_seconds: Length wanted; a clip at the end of the file is as long as what is left.
        num_frames: Frames of the clip.
        sampling: Rule for the moments that become frames; see `sample_times`.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.
        min_seconds: Shortest clip. The default refuses a single frame but little else.

    Raises:
        UnreadableFileError: The file is missing, a folder, empty, or not a media file.
        NoVideoStreamError: It has no video.
        NoAudioStreamError: It has no sound.
        ClipTooShortError: It has less video than `min_seconds` from `start_seconds` on.
        DecodeError: It is damaged in the span that is used, or cut off.
        ValueError: A length or count is not positive.
    """
    if not start_seconds >= 0:
        raise ValueError(f"start_seconds must not be negative, got {start_seconds}")
    options = _ClipOptions(
        clip_seconds=clip_seconds,
        hop_seconds=None,
        num_frames=num_frames,
        sampling=sampling,
        channel=channel,
        min_seconds=min_seconds,
    )
    with closing(_clips(Path(path), start_seconds, options)) as clips:
        return next(clips)


def iterate_clips(  # noqa: PLR0913 - choices of one pass
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    hop_seconds: float | None = None,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
    channel: Channel = "first",
    min_seconds: float = 1.0,
    start_seconds: float = 0.0,
    with_sound: bool = True,
    keeps_step: bool = False,
    transform_frame: FrameTransform | None = None,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Generator[Clip]:
    """Read all clips of a file, in one pass and in little memory however long the file is.

    Each clip is what `read_clip` gives at its `start_seconds`, unless `keeps_step`. A rest shorter than
    `min_seconds` is left out. Close the generator, or use it up, to close the file.

    Args:
        path: Video file.
        clip_seconds: Length of a clip; the last may be shorter.
        hop_seconds: Time from one start to the next; by default the clips follow one another.
        num_frames: Frames of each clip.
        sampling: Rule for the moments that become frames; see `sample_times`.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.
        min_seconds: Shortest clip.
        start_seconds: Where the first clip starts, on the file's timeline.
        with_sound: Whether to read sound; without, the file need not have any, and waveforms are empty.
        keeps_step: Whether a clip at the end that is shorter has fewer frames, as far apart as those of the
            others. Needs a rule with a constant step; see `times_at_step`.
        transform_frame: Change made to each frame as soon as it is decoded, such as a resize. Without it,
            whole frames are held: sixteen of 8K are 1.7 GB.
        sample_rate_hz: Samples per second of the waveforms.

    Raises:
        ClipTooShortError: The whole file is shorter than `min_seconds`.
        MediaError: As `read_clip`, when the pass reaches the place.
    """
    options = _ClipOptions(
        clip_seconds=clip_seconds,
        hop_seconds=clip_seconds if hop_seconds is None else hop_seconds,
        num_frames=num_frames,
        sampling=sampling,
        channel=channel,
        min_seconds=min_seconds,
        with_sound=with_sound,
        keeps_step=keeps_step,
        transform_frame=transform_frame,
        sample_rate_hz=sample_rate_hz,
    )
    return _clips(Path(path), start_seconds, options)


def read_frames(
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
    min_seconds: float = 0.05,
) -> NDArray[np.uint8]:
    """Read the frames of a file's first clip, as `read_clip` does; the file need not have sound.

    Args:
        path: Video file.
        clip_seconds: Length wanted; less where the file is shorter.
        num_frames: Frames of the clip.
        sampling: Rule for the moments that become frames; see `sample_times`.
        min_seconds: Shortest clip.

    Returns:
        RGB, uint8 [T, H, W, C].

    Raises:
        MediaError: As `read_clip`, except for errors of sound.
    """
    options = _ClipOptions(
        clip_seconds=clip_seconds,
        hop_seconds=None,
        num_frames=num_frames,
        sampling=sampling,
        channel="first",
        min_seconds=min_seconds,
        with_sound=False,
    )
    with closing(_clips(Path(path), 0.0, options)) as clips:
        return next(clips).frames_THWC


def read_audio(
    path: str | os.PathLike[str],
    *,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    channel: Channel = "first",
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> NDArray[np.float32]:
    """Read the sound of a video or sound file: float32 in [-1, 1], mono.

    Args:
        path: File with sound.
        start_seconds: Time of sample 0, on the file's timeline.
        duration_seconds: Length wanted; None for all. The result is shorter where the track ends earlier.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.
        sample_rate_hz: Samples per second.

    Raises:
        UnreadableFileError: The file is missing, a folder, empty, or not a media file.
        NoAudioStreamError: It has no sound.
        ClipTooShortError: Its sound ends before `start_seconds`.
        DecodeError: It is damaged in the span that is used, or cut off.
    """
    file = Path(path)
    stop = float("inf") if duration_seconds is None else start_seconds + duration_seconds
    if not (start_seconds >= 0 and stop > start_seconds):
        raise ValueError(
            f"start_seconds must be >= 0 and duration_seconds > 0, got {start_seconds} and {duration_seconds}"
        )
    blocks: list[NDArray[np.float32]] = []
    with (
        as_decode_errors(file),
        closing(
            SoundTrack(file, from_seconds=start_seconds, channel=channel, sample_rate_hz=sample_rate_hz)
        ) as track,
    ):
        at = start_seconds
        while at < stop:
            block_stop = min(at + _BLOCK_SECONDS, stop)
            block_S = track.take(start_seconds=at, num_samples=round((block_stop - at) * sample_rate_hz))
            end = track.stop_seconds
            if end is not None and end < block_stop:
                blocks.append(block_S[: max(round((end - at) * sample_rate_hz), 0)])
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


def _clips(path: Path, from_seconds: float, options: _ClipOptions) -> Generator[Clip]:
    """Clips of a file in order.

    Clips may overlap. Their frames are taken in order of time, so everything is decoded once.
    """
    check_streams(path, with_sound=options.with_sound)
    with (
        as_decode_errors(path),
        closing(frame_times(path, from_seconds=from_seconds)) as times,
        closing(
            SoundTrack(
                path,
                from_seconds=from_seconds,
                channel=options.channel,
                sample_rate_hz=options.sample_rate_hz,
            )
        ) as sound,
        closing(decode_frames(path, from_seconds=from_seconds)) as frames,
    ):
        drafts = _drafts(FrameTimes(times, path=path), path, from_seconds, options)
        screen: Screen | None = None
        upcoming = next(drafts, None)
        due: list[tuple[float, int, int]] = []  # time, clip, frame
        begun: dict[int, _Draft] = {}
        numbers = count()
        while due or upcoming is not None:
            if upcoming is not None and (not due or upcoming.timing.start_seconds <= due[0][0]):
                number = next(numbers)
                begun[number] = upcoming
                for index, seconds in enumerate(upcoming.times_T):
                    heapq.heappush(due, (upcoming.timing.start_seconds + float(seconds), number, index))
                upcoming = next(drafts, None)
                continue
            seconds, number, _ = heapq.heappop(due)
            screen = screen or Screen(frames, path=path)
            draft = begun[number]
            draft.add(screen.shown_at(seconds), path=path)
            if draft.num_frames == len(draft.times_T):
                yield begun.pop(number).to_clip(
                    sound if options.with_sound else None, sample_rate_hz=options.sample_rate_hz
                )


def _drafts(
    video_times: FrameTimes, path: Path, from_seconds: float, options: _ClipOptions
) -> Iterator[_Draft]:
    first = max(from_seconds, video_times.first_seconds)
    for number in count():
        start = first + number * (options.hop_seconds or 0.0)
        timing = video_times.clip_timing(start_seconds=start, length_seconds=options.clip_seconds)
        left = timing.duration_seconds
        if left <= 0 or left + SLACK_SECONDS < options.min_seconds:
            if number == 0:
                raise ClipTooShortError(
                    f"{path} has {max(left, 0.0):.3f} s of video from {start:.3f} s on, but at least "
                    f"{options.min_seconds:.3f} s are needed. Start earlier, or allow shorter clips."
                )
            return
        yield _Draft(timing, options.times_of(timing), options.transform_frame)
        if options.hop_seconds is None:
            return


def read_frame(
    path: str | os.PathLike[str], seconds: float, *, within_seconds: float = 0.2
) -> NDArray[np.uint8]:
    """Read the frame on screen at a time: uint8 [H, W, C], upright.

    Args:
        path: Video file.
        seconds: The time, on the file's timeline; before its beginning, the first frame.
        within_seconds: How far the file must reach beyond it.

    Raises:
        MediaError: The file has no picture there, or cannot be read.
    """
    clips = iterate_clips(
        path,
        clip_seconds=within_seconds,
        num_frames=1,
        sampling="uniform_start",
        min_seconds=0.0,
        with_sound=False,
        start_seconds=max(seconds, 0.0),
    )
    return next(clips).frames_THWC[0]

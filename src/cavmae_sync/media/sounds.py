"""Reading the sound of a file clip by clip, for files that have no picture.

Shapes: S samples, T moments of a clip.
"""

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.media.container import as_decode_errors
from cavmae_sync.media.frame_times import SLACK_SECONDS
from cavmae_sync.media.sampling import SamplingRule, times_at_step
from cavmae_sync.media.sound_chunks import Channel
from cavmae_sync.media.sound_track import SoundTrack
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES, SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundClip:
    """A span of sound without picture.

    Attributes:
        moment_seconds_T: Moments at which a video would have frames, float64, seconds from clip start.
        waveform_S: Mono sound, float32 in [-1, 1].
        start_seconds: Start on the file's timeline.
        duration_seconds: Length.
    """

    moment_seconds_T: NDArray[np.float64]
    waveform_S: NDArray[np.float32]
    start_seconds: float
    duration_seconds: float


def iterate_sounds(
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    num_moments: int = NUM_FRAMES,
    sampling: SamplingRule = "uniform_center",
    channel: Channel = "first",
    min_seconds: float = 0.05,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Generator[SoundClip]:
    """Read the sound of a file as clips that follow each other, in little memory however long it is.

    Args:
        path: File with sound; a picture is not looked at.
        clip_seconds: Length of a clip; the last may be shorter, and then has fewer moments at the same step.
        num_moments: Moments of a whole clip.
        sampling: Rule for the moments: one with a constant step, see `times_at_step`.
        channel: "first" is channel 0 as stored, "mix" the mean of all channels.
        min_seconds: A rest shorter than this is left out.
        sample_rate_hz: Samples per second of the waveforms.

    Raises:
        ClipTooShortError: The whole sound is shorter than `min_seconds`.
        MediaError: As `read_audio`, when the pass reaches the place.
    """
    file = Path(path)
    with (
        as_decode_errors(file),
        closing(SoundTrack(file, from_seconds=0.0, channel=channel, sample_rate_hz=sample_rate_hz)) as track,
    ):
        start, is_over = 0.0, False
        while not is_over:
            waveform_S = track.take(start_seconds=start, num_samples=round(clip_seconds * sample_rate_hz))
            stop = start + clip_seconds
            is_over = track.stop_seconds is not None and track.stop_seconds < stop + SLACK_SECONDS
            length = (track.stop_seconds or 0.0) - start if is_over else clip_seconds
            if is_over and length + SLACK_SECONDS < min_seconds:
                if start == 0.0:
                    raise ClipTooShortError(
                        f"{file} has {max(length, 0.0):.3f} s of sound, but at least {min_seconds:.3f} s are "
                        "needed. Allow shorter clips."
                    )
                return
            length = min(length, clip_seconds)
            yield SoundClip(
                moment_seconds_T=times_at_step(
                    sampling, step_seconds=clip_seconds / num_moments, duration_seconds=length
                ),
                waveform_S=waveform_S[: max(round(length * sample_rate_hz), 1)],
                start_seconds=start,
                duration_seconds=length,
            )
            start = stop

"""Sampling rules: which moments of a clip become frames. The rules of the method's history, on times.

The authors wrote their rules on frame numbers, which mean nothing in a video of variable rate. Here they are
rules on times, chosen so that in a video of constant rate the frame on screen at the time is the frame with
the number their rule gives (tests compare with the index rules, frame by frame).
"""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

SamplingRule = Literal["uniform_left", "linspace_inclusive", "uniform_center", "uniform_start"]

# Containers round times to a tick (Matroska: 1 ms), so counting frames by time needs a little slack.
_FRAME_SLACK = 0.05
# Sums of steps are off by rounding; a frame at the very end of a clip would be past it.
_STEP_SLACK = 1e-6


def sample_times(
    rule: SamplingRule,
    *,
    num_frames: int,
    duration_seconds: float,
    last_frame_seconds: float,
    frame_period_seconds: float,
) -> NDArray[np.float64]:
    """Times of `num_frames` frames of a clip, never decreasing.

    - `uniform_left`: the clip is cut into equal bins and the left edge of each is taken. The index rule is
      int(i N / K) with N = int(rate x seconds), so the clip is first shortened to whole frames. The original
      then seeks to one frame earlier; that off-by-one is not repeated.
    - `linspace_inclusive`: from the first to the last frame that begins in the clip, both included. The
      index rule is int(linspace(0, N - 1, K)).
    - `uniform_center`: the middle of each equal bin of the clip. Has no counterpart on indices.
    - `uniform_start`: the start of each equal bin, whatever the frames: moments of clips that follow one
      another are equally far apart.

    Args:
        rule: One of the names above.
        num_frames: K, how many times.
        duration_seconds: Length of the clip.
        last_frame_seconds: Start of the last frame that begins in the clip, from clip start.
        frame_period_seconds: Mean time between frames in the clip.

    Returns:
        Seconds from clip start, float64, shape (num_frames,).

    Raises:
        ValueError: A count or length is not positive, or the rule is unknown.

    Source:
        "uniform_left" is CAV-MAE src/preprocess/extract_video_frame.py, "linspace_inclusive" the author's
        development branch.

    >>> sample_times("linspace_inclusive", num_frames=3, duration_seconds=1.0,
    ...              last_frame_seconds=0.9, frame_period_seconds=0.1).tolist()
    [0.0, 0.45, 0.9]
    """
    if num_frames < 1 or not duration_seconds > 0 or not frame_period_seconds > 0:
        raise ValueError(
            "num_frames, duration_seconds and frame_period_seconds must be positive, "
            f"got {num_frames}, {duration_seconds} and {frame_period_seconds}"
        )
    steps_T = np.arange(num_frames, dtype=np.float64)
    match rule:
        case "uniform_left":
            num_whole = math.floor(duration_seconds / frame_period_seconds + _FRAME_SLACK)
            whole_seconds = num_whole * frame_period_seconds if num_whole else duration_seconds
            return steps_T * (min(whole_seconds, duration_seconds) / num_frames)
        case "linspace_inclusive":
            return np.linspace(0.0, max(last_frame_seconds, 0.0), num_frames)
        case "uniform_center":
            return (steps_T + 0.5) * (duration_seconds / num_frames)
        case "uniform_start":
            return steps_T * (duration_seconds / num_frames)
        case _:
            raise ValueError(f"sampling rule must be one of {get_args(SamplingRule)}, got {rule!r}")


def times_at_step(rule: SamplingRule, *, step_seconds: float, duration_seconds: float) -> NDArray[np.float64]:
    """Times of frames of a clip that is shorter than others, as far apart as theirs.

    Args:
        rule: "uniform_center" or "uniform_start"; the others do not have a constant step.
        step_seconds: Time from one frame to the next.
        duration_seconds: Length of the clip.

    Returns:
        Seconds from clip start, float64; at least one, and all before the end of the clip.

    Raises:
        ValueError: A length is not positive, or the rule has no constant step.

    >>> times_at_step("uniform_center", step_seconds=0.5, duration_seconds=1.3).tolist()
    [0.25, 0.75, 1.25]
    >>> times_at_step("uniform_center", step_seconds=0.5, duration_seconds=0.2).tolist()
    [0.1]
    """
    if not (step_seconds > 0 and duration_seconds > 0):
        raise ValueError(f"lengths must be positive, got {step_seconds} and {duration_seconds}")
    if rule not in ("uniform_center", "uniform_start"):
        raise ValueError(f'rule must be "uniform_center" or "uniform_start", got {rule!r}')
    first = 0.5 if rule == "uniform_center" else 0.0
    count = math.ceil(duration_seconds / step_seconds - first - _STEP_SLACK)
    if count < 1:
        return np.array([duration_seconds * first])
    return (np.arange(count, dtype=np.float64) + first) * step_seconds

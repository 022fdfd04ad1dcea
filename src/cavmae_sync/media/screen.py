"""The frame on screen at a time: the last one that began at or before it.

Shapes: H W pixels, C channels (RGB).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.frame_times import SLACK_SECONDS
from cavmae_sync.media.video_frames import DecodedFrame, to_rgb


class Screen:
    """Plays decoded frames forwards; only frames that are asked for are converted to RGB."""

    def __init__(self, frames: Iterator[DecodedFrame], *, path: Path) -> None:
        self._frames = frames
        self._path = path
        self._reformatter = VideoReformatter()
        self._current: DecodedFrame | None = None
        self._next = next(frames, None)
        self._rgb_HWC: NDArray[np.uint8] | None = None

    def shown_at(self, seconds: float) -> NDArray[np.uint8]:
        """Frame on screen, RGB, upright, uint8; times must not go backwards.

        Before the first frame it is the first, as in players.

        Raises:
            DecodeError: No frame decodes.
        """
        while self._next is not None and (
            self._current is None or self._next.seconds <= seconds + SLACK_SECONDS
        ):
            self._current, self._next = self._next, next(self._frames, None)
            self._rgb_HWC = None
        if self._current is None:
            raise DecodeError(
                f"{self._path}: no frame of its video decodes. Fetch the file again, or remove it."
            )
        if self._rgb_HWC is None:
            self._rgb_HWC = to_rgb(self._current, path=self._path, reformatter=self._reformatter)
        return self._rgb_HWC

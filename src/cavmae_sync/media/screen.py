"""What is on screen at a time: the last picture that began at or before it.

Shapes: H W pixels, C channels (RGB).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.decode import Picture, new_reformatter, to_rgb
from cavmae_sync.media.timeline import SLACK_SECONDS


class Screen:
    """Plays pictures forwards; converts to RGB only those that are asked for."""

    def __init__(self, pictures: Iterator[Picture], *, path: Path) -> None:
        self._pictures = pictures
        self._path = path
        self._reformatter = new_reformatter()
        self._current: Picture | None = None
        self._next = next(pictures, None)
        self._rgb_HWC: NDArray[np.uint8] | None = None

    def shown_at(self, seconds: float) -> NDArray[np.uint8]:
        """The picture on screen, RGB, upright, uint8; times must not go backwards.

        Before the first picture it is the first, as in players.

        Raises:
            DecodeError: There is no picture at all.
        """
        while self._next is not None and (
            self._current is None or self._next.seconds <= seconds + SLACK_SECONDS
        ):
            self._current, self._next = self._next, next(self._pictures, None)
            self._rgb_HWC = None
        if self._current is None:
            raise DecodeError(f"{self._path} has a video stream of which no picture decodes. Remove it.")
        if self._rgb_HWC is None:
            self._rgb_HWC = to_rgb(self._current, path=self._path, reformatter=self._reformatter)
        return self._rgb_HWC

"""Everything this package raises on purpose.

CavMaeSyncError
├── MediaError              a file or stream cannot be read as asked; carries a stable `code`
│   ├── UnreadableFileError     not a media file, empty, a folder, missing
│   ├── NoVideoStreamError      sound only, or only a cover picture
│   ├── NoAudioStreamError      frames only
│   ├── ClipTooShortError       fewer seconds of video than asked for
│   └── DecodeError             opens, but its data are damaged
├── DatasetError            a prepared dataset or label file is missing, incomplete or of another version
│   └── TooManyRejectedError    preparation refused more files than the caller allows
├── ConfigError             a configuration contradicts itself or names a field that does not exist
├── SeveralError            several errors at once
├── WeightsError            weights do not fit the model, or a file is not weights
└── TrainingError           a run cannot go on
    └── NonFiniteLossError      the loss became NaN or infinite; names the batch

A message says what failed, on which thing, what it was, what was needed and what to do. Wrong arguments
from a programmer are `ValueError` or `TypeError`, not these.
"""

from typing import ClassVar


class CavMaeSyncError(Exception):
    """Base of all errors raised on purpose. The command line prints it as one line and exits with 1."""


class MediaError(CavMaeSyncError):
    """A media file cannot be read as asked.

    Attributes:
        code: Stable, machine-readable reason, stored in `rejected.parquet`.
    """

    code: ClassVar[str] = "media"


class UnreadableFileError(MediaError):
    """The file is missing, empty, a folder, or no demuxer recognises it."""

    code = "unreadable"


class NoVideoStreamError(MediaError):
    """The file has no video (a cover picture is not a video stream)."""

    code = "no_video"


class NoAudioStreamError(MediaError):
    """The file has no sound."""

    code = "no_audio"


class ClipTooShortError(MediaError):
    """The video is shorter than the caller needs."""

    code = "too_short"


class DecodeError(MediaError):
    """The file opens but its data are damaged or end too early."""

    code = "damaged"


class DatasetError(CavMaeSyncError):
    """A prepared dataset or a label file is missing, incomplete or of another version."""


class TooManyRejectedError(DatasetError):
    """Preparation refused more files than the caller allows."""


class ConfigError(CavMaeSyncError):
    """A configuration contradicts itself or names a field that does not exist."""


class WeightsError(CavMaeSyncError):
    """Weights do not fit the model, or a file is not weights."""


class TrainingError(CavMaeSyncError):
    """A training run cannot start or go on."""


class NonFiniteLossError(TrainingError):
    """The loss became NaN or infinite."""


class SeveralError(CavMaeSyncError):
    """Several things are wrong at once. The command line prints a line for each.

    Attributes:
        errors: The errors, at least two.
    """

    def __init__(self, errors: list[Exception]) -> None:
        self.errors = tuple(errors)
        super().__init__(" ".join(map(str, self.errors)))

"""Facts about a clip that an audit needs, its flags and the codes of its picture and sound, also as JSON.

Shapes: T frames, W windows of sound, D signs.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.audit.fingerprint import picture_code, sound_code
from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.flags import is_short, is_silent, is_still
from cavmae_sync.data.preparing.prepare_unit import SourceClip
from cavmae_sync.data.preparing.videos import read_video
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.errors import MediaError
from cavmae_sync.inputs import log_mel, resize_and_crop
from cavmae_sync.work.source_file import SourceFile

_COLUMNS: Final = {"picture": 64, "sound": 14}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClipFacts:
    """Facts about a clip.

    Attributes:
        id: Id that preparation gives it.
        source: File that it was cut from.
        content_hash: SHA-256 of that file.
        start_seconds: Start in its file, in seconds.
        duration_seconds: Duration in seconds.
        labels: Labels of a clip of a prepared dataset.
        is_short: See `ClipRow`.
        is_silent: See `ClipRow`.
        is_still: See `ClipRow`.
        picture: `picture_code`, int8 [T, 64]; no rows for a still clip, because many clips have one picture.
        sound: `sound_code`, int8 [W, 14]; no rows for a silent clip.
    """

    id: str
    source: str
    content_hash: str
    start_seconds: float
    duration_seconds: float
    labels: tuple[str, ...] = ()
    is_short: bool
    is_silent: bool
    is_still: bool
    picture: NDArray[np.int8]
    sound: NDArray[np.int8]

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            code = getattr(self, name)
            if code.dtype != np.int8 or code.ndim != 2 or code.shape[1] != columns:
                raise ValueError(f"{name} must be int8 [rows, {columns}], got {code.dtype} {code.shape}.")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class InventoryItem:
    """One file, or one clip of a dataset, that was read.

    Attributes:
        key: Key that is equal as long as the file seems unchanged, so that it need not be read again.
        file: Path relative to the root folder.
        reason: `MediaError.code` of a file that cannot be used; None for others.
        message: Message of the error; empty for others.
        clips: Clips of the file.
    """

    key: str
    file: str
    reason: str | None = None
    message: str = ""
    clips: tuple[ClipFacts, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Item as JSON values."""
        return {
            "key": self.key,
            "file": self.file,
            "reason": self.reason,
            "message": self.message,
            "clips": [_clip_to_json(clip) for clip in self.clips],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "InventoryItem":
        """Item from the JSON values of `to_json`."""
        clips = tuple(_clip_from_json(clip) for clip in content["clips"])
        values: dict[str, Any] = {**content, "clips": clips}
        return cls(**values)


def read_item(root: Path, source: SourceFile, config: PrepareConfig, *, key: str) -> InventoryItem:
    """Read a file once, as preparation does. A file that cannot be used gives an item with a reason."""
    try:
        clips = tuple(_clip_facts(found, source.path, config) for found in read_video(root, source, config))
    except MediaError as error:
        message = str(error).replace(f"{root}/", "")
        return InventoryItem(key=key, file=source.path, reason=error.code, message=message)
    return InventoryItem(key=key, file=source.path, clips=clips)


def _clip_facts(found: SourceClip, source: str, config: PrepareConfig) -> ClipFacts:
    clip = found.clip
    frames_THWC = resize_and_crop(clip.frames_THWC, pixels=config.frame_pixels).numpy()
    silent = is_silent(clip.waveform_S, below_dbfs=config.silent_below_dbfs)
    still = is_still(frames_THWC, below_levels=config.still_below_levels)
    return ClipFacts(
        id=found.id,
        source=source,
        content_hash=found.content_hash,
        start_seconds=clip.start_seconds,
        duration_seconds=clip.duration_seconds,
        is_short=is_short(clip, clip_seconds=config.clip_seconds),
        is_silent=silent,
        is_still=still,
        picture=_no_code("picture") if still else picture_code(frames_THWC),
        sound=_no_code("sound") if silent else sound_code(log_mel(clip.waveform_S).numpy()),
    )


def prepared_item(clips: PreparedDataset, index: int, *, key: str) -> InventoryItem:
    """Item of a prepared clip: the flags of its row, and codes of the stored frames and log-mel."""
    row = clips.row(index)
    frames_THWC = np.stack([clips.read_frame(index, frame) for frame in range(clips.num_frames)])
    log_mel_NM = clips.read_log_mel_rows(index, start=0, stop=row.num_spectrogram_frames)
    facts = ClipFacts(
        id=row.id,
        source=row.source,
        content_hash=row.content_hash,
        start_seconds=row.start_seconds,
        duration_seconds=row.stop_seconds - row.start_seconds,
        labels=row.labels,
        is_short=row.is_short,
        is_silent=row.is_silent,
        is_still=row.is_still,
        picture=_no_code("picture") if row.is_still else picture_code(frames_THWC),
        sound=_no_code("sound") if row.is_silent else sound_code(log_mel_NM),
    )
    return InventoryItem(key=key, file=row.source, clips=(facts,))


def _no_code(name: str) -> NDArray[np.int8]:
    return np.zeros((0, _COLUMNS[name]), dtype=np.int8)


def _clip_to_json(clip: ClipFacts) -> dict[str, Any]:
    content = {name: getattr(clip, name) for name in ClipFacts.__dataclass_fields__}
    packed = {name: base64.b85encode(zlib.compress(content[name].tobytes())).decode() for name in _COLUMNS}
    return content | packed


def _clip_from_json(content: Mapping[str, Any]) -> ClipFacts:
    packed = {name: zlib.decompress(base64.b85decode(content[name])) for name in _COLUMNS}
    codes: dict[str, Any] = {
        name: np.frombuffer(packed[name], dtype=np.int8).reshape(-1, columns)
        for name, columns in _COLUMNS.items()
    }
    values: dict[str, Any] = {**content, **codes, "labels": tuple(content["labels"])}
    return ClipFacts(**values)

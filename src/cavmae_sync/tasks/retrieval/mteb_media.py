"""Items of MTEB's datasets to sound and frames: files, bytes of files, or decoded arrays.

Letters: T frames, F stored frames, C channels, H W pixels, S samples.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DatasetError
from cavmae_sync.media import SamplingRule, read_audio, read_frames
from cavmae_sync.media.sound_chunks import resample
from cavmae_sync.paper import SAMPLE_RATE_HZ

#: Lossy codecs exceed full scale a little. Sound above this value has another scale.
_LOUDEST: Final = 4.0
#: More rows than this are not channels: the axes are swapped.
_MOST_CHANNELS: Final = 32
#: Samples of one window of the spectrogram, 25 ms: shorter sound has no spectrogram.
_FEWEST_SAMPLES: Final = SAMPLE_RATE_HZ // 40


def waveform_of(item: Any, *, max_seconds: float, name: str) -> NDArray[np.float32]:
    """Sound of an item: mono, 16 kHz, in [-1, 1]; of several channels the first, as in preparation.

    Args:
        item: A path, `{"path": ..., "bytes": ...}`, or `{"array": [S] or [C, S], "sampling_rate": ...}`.
        max_seconds: Length from the start; the rest is left out.
        name: Name of the item, for messages.

    Raises:
        MediaError: A file cannot be read or has no sound.
        DatasetError: The item is something else, or too short.
    """
    if isinstance(item, dict) and item.get("array") is not None:
        waveform_S = _of_array(item["array"], item.get("sampling_rate"), max_seconds=max_seconds, name=name)
    else:
        with _file_of(item, name=name) as path:
            waveform_S = read_audio(path, duration_seconds=max_seconds)
    if len(waveform_S) < _FEWEST_SAMPLES:
        raise DatasetError(
            f"{name} has {len(waveform_S)} samples of sound at 16 kHz; at least {_FEWEST_SAMPLES} are needed."
        )
    return waveform_S


def frames_of(
    item: Any, *, num_frames: int, max_seconds: float, sampling: SamplingRule, name: str
) -> NDArray[np.uint8]:
    """Frames of an item, RGB, uint8 [T, H, W, C].

    Args:
        item: A path or `{"path": ..., "bytes": ...}` of a video, with or without sound; or uint8 frames
            [F, C, H, W] or [F, H, W, C], of which the first, the last and evenly spread ones are taken.
        num_frames: Number of frames.
        max_seconds: Length from the start of a file; the rest is left out.
        sampling: Rule of the moments of a file that become frames.
        name: Name of the item, for messages.

    Raises:
        MediaError: A file cannot be read or has no video.
        DatasetError: The item is something else.
    """
    is_file = isinstance(item, str) or hasattr(item, "get")
    if isinstance(item, Iterable) and not is_file:
        return _of_frames(item, num_frames=num_frames, name=name)
    with _file_of(item, name=name) as path:
        return read_frames(path, clip_seconds=max_seconds, num_frames=num_frames, sampling=sampling)


def _of_array(samples: Any, rate_hz: Any, *, max_seconds: float, name: str) -> NDArray[np.float32]:
    found = np.asarray(samples)
    if not isinstance(rate_hz, int | np.integer) or rate_hz < 1:
        raise DatasetError(
            f"{name} has samples without a rate: sampling_rate is {rate_hz!r}. Give whole hertz."
        )
    if found.ndim not in {1, 2} or (found.ndim == 2 and len(found) > _MOST_CHANNELS):
        raise DatasetError(f"{name} must be samples [S] or [channels, S], got {list(found.shape)}.")
    samples_S = (found if found.ndim == 1 else found[0])[: round(max_seconds * int(rate_hz))]
    if samples_S.dtype == np.int16:
        samples_S = samples_S / -float(np.iinfo(np.int16).min)
    elif samples_S.dtype.kind != "f":
        raise DatasetError(f"{name} has samples of type {samples_S.dtype}; int16 or floats are needed.")
    if samples_S.size and not np.abs(samples_S).max() <= _LOUDEST:
        raise DatasetError(
            f"{name} has samples that are not finite or far outside [-1, 1]. Divide them by full scale."
        )
    if not samples_S.size:
        return np.zeros(0, np.float32)
    return np.clip(resample(samples_S.astype(np.float32), rate_hz=int(rate_hz)), -1.0, 1.0)


def _of_frames(item: Iterable[Any], *, num_frames: int, name: str) -> NDArray[np.uint8]:
    stored = [np.asarray(frame) for frame in item]
    shapes = {(frame.dtype, *frame.shape) for frame in stored}
    dtype, *shape = shapes.pop() if len(shapes) == 1 else (None,)
    if dtype != np.uint8 or len(shape) != 3 or 3 not in {shape[0], shape[2]}:
        raise DatasetError(
            f"{name} must be RGB frames of one size, uint8 [frames, 3, height, width] or [frames, height, "
            f"width, 3], got {len(stored)} of {sorted({f'{f.dtype} {list(f.shape)}' for f in stored})}."
        )
    chosen = np.linspace(0, len(stored) - 1, num_frames).astype(int)
    frames = np.stack([stored[i] for i in chosen])
    return frames if shape[2] == 3 else np.ascontiguousarray(frames.transpose(0, 2, 3, 1))


@contextmanager
def _file_of(item: Any, *, name: str) -> Iterator[Path]:
    """Path to read from: the item's own, or that of a temporary file with its bytes."""
    content, path = (item.get("bytes"), item.get("path")) if isinstance(item, dict) else (None, item)
    if content is None and isinstance(path, str | Path):
        yield Path(path)
    elif isinstance(content, bytes):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{name.replace('/', '_')}{Path(path or '').suffix}"
            copy.write_bytes(content)
            yield copy
    else:
        raise DatasetError(
            f"{name} is {'missing' if item is None else f'a {type(item).__name__}'}. Sound must be a file, "
            "the bytes of one, or samples with their rate; a video a file, the bytes of one, or frames."
        )

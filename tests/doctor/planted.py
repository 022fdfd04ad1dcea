"""Generated clips as a dataset in the layout of CAV-MAE, with a fault in them or without.

T frames of a clip, H W pixels, C channels, S samples.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import wavfile
from scipy.signal import resample_poly

from cavmae_sync.data import PrepareConfig, PreparedDataset, import_cavmae
from cavmae_sync.paper import RGB_MEAN, RGB_STD, SAMPLE_RATE_HZ


@dataclass(frozen=True)
class RawClip:
    """What is written of a clip: frames, sound, and the rate that the sound file says it has."""

    frames_THWC: NDArray[np.uint8]
    waveform_S: NDArray[np.float32]
    rate_hz: int = SAMPLE_RATE_HZ


Spoil = Callable[[list[RawClip]], list[RawClip]]


def each(change: Callable[[RawClip, int], RawClip]) -> Spoil:
    return lambda clips: [change(clip, index) for index, clip in enumerate(clips)]


def frames_with(change: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]) -> Spoil:
    return each(lambda clip, index: replace(clip, frames_THWC=change(clip.frames_THWC, index)))


def _faded(frames_THWC: NDArray[np.uint8], _index: int) -> NDArray[np.uint8]:
    """Pictures that, once normalised, lie in [0, 1]: as if they had not been."""
    unit = frames_THWC / 255 * np.array(RGB_STD) + np.array(RGB_MEAN)
    return np.clip(np.round(unit * 255), 0, 255).astype(np.uint8)


def _shuffled(frames_THWC: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    return frames_THWC[np.random.default_rng(index).permutation(len(frames_THWC))]


def _first_ten(frames_THWC: NDArray[np.uint8], _index: int) -> NDArray[np.uint8]:
    """The first 10/16 of a clip, as if they were all of it."""
    count = len(frames_THWC)
    return frames_THWC[[t * 10 // 16 for t in range(count)]]


def _filled_up(frames_THWC: NDArray[np.uint8], _index: int) -> NDArray[np.uint8]:
    """Ten of sixteen frames, the last repeated for those that are missing."""
    count = len(frames_THWC)
    kept = count * 10 // 16
    chosen = [t * count // kept for t in range(kept)]
    return frames_THWC[chosen + [chosen[-1]] * (count - kept)]


def _read_as_16000(clip: RawClip, _index: int) -> RawClip:
    """44.1 kHz samples under a header of 16 kHz, cut to the length of the clip."""
    slow_S = resample_poly(clip.waveform_S, 441, 160).astype(np.float32)
    return replace(clip, waveform_S=slow_S[: len(clip.waveform_S)])


def _read_as_44100(clip: RawClip, _index: int) -> RawClip:
    return replace(clip, rate_hz=44_100)


def _next_sound(clips: list[RawClip]) -> list[RawClip]:
    return [replace(c, waveform_S=clips[(i + 1) % len(clips)].waveform_S) for i, c in enumerate(clips)]


def _dead(clip: RawClip, index: int) -> RawClip:
    if index % 10:
        return clip
    return replace(
        clip, frames_THWC=np.zeros_like(clip.frames_THWC), waveform_S=np.zeros_like(clip.waveform_S)
    )


#: By the name of the fault.
SPOILT: dict[str, Spoil] = {
    "colours_swapped": frames_with(lambda frames, _: frames[..., ::-1]),
    "pictures_not_normalised": frames_with(_faded),
    "frames_reversed": frames_with(lambda frames, _: frames[::-1]),
    "frames_sorted_by_name": frames_with(lambda frames, _: frames[sorted(range(len(frames)), key=str)]),
    "frames_shuffled": frames_with(_shuffled),
    "first_frames_only": frames_with(_first_ten),
    "frames_filled_up": frames_with(_filled_up),
    "rate_44100_read_as_16000": each(_read_as_16000),
    "rate_16000_read_as_44100": each(_read_as_44100),
    "sound_of_next_clip": _next_sound,
    "substituted": each(_dead),
}


def write_dataset(clips: list[RawClip], folder: Path, *, clip_seconds: float) -> PreparedDataset:
    """Write the layout of CAV-MAE and import it."""
    items = []
    for index, clip in enumerate(clips):
        name = f"clip{index:04d}"
        for t, frame_HWC in enumerate(clip.frames_THWC):
            path = folder / "frames" / f"frame_{t}" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(frame_HWC)).save(path, quality=92)
        sound = folder / f"{name}.wav"
        wavfile.write(sound, clip.rate_hz, np.round(clip.waveform_S * 32767).astype(np.int16))
        items.append(
            {"video_id": name, "wav": str(sound), "video_path": str(folder / "frames"), "labels": ""}
        )
    (folder / "list.json").write_text(json.dumps({"data": items}))
    config = PrepareConfig(
        clip_seconds=clip_seconds,
        num_frames=len(clips[0].frames_THWC),
        frame_pixels=clips[0].frames_THWC.shape[1],
        min_seconds=0.5,
        files_per_shard=len(clips),  # one unit of work: each costs its own files
    )
    import_cavmae(folder / "list.json", out=folder / "prepared", config=config, num_workers=0)
    return PreparedDataset.open(folder / "prepared")


def change_log_mel(folder: Path, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
    """Rewrite every stored log-mel of a prepared dataset in place."""
    clips = PreparedDataset.open(folder)
    for index in range(len(clips)):
        row = clips.row(index)
        rows_NM = clips.read_log_mel_rows(index, start=0, stop=row.num_spectrogram_frames)
        changed = change(rows_NM.astype(np.float32)).astype("<f2").tobytes()
        with (folder / "shards" / row.shard).open("r+b") as shard:
            shard.seek(row.log_mel_offset + row.log_mel_length - len(changed))
            shard.write(changed)
    clips.close()

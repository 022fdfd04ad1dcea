"""Dataset in the layout of CAV-MAE -> prepared dataset.

The layout: a JSON file `{"data": [{"video_id", "wav", "video_path", "labels"}, ...]}`, a sound file per clip,
and frames at `video_path/frame_0/VIDEO_ID.jpg ...`. Frames of the right size are kept byte for byte. A clip
with a missing frame is rejected; no other frame takes its place. The number of frames on disk is checked
first, so that a layout with 10 frames is not read as one with 16, or the reverse.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.lists.formats import parse_json
from cavmae_sync.data.preparing.job import Job, run_job
from cavmae_sync.data.preparing.prepare_unit import SourceClip
from cavmae_sync.data.preparing.report import LabelUse, PrepareReport
from cavmae_sync.data.preparing.sources import SourceList
from cavmae_sync.data.spellings import DiskSpellings, nfc
from cavmae_sync.data.storage.clip_files import decode_jpeg
from cavmae_sync.errors import ClipTooShortError, DatasetError, DecodeError, UnreadableFileError
from cavmae_sync.media import Clip, probe, read_audio, sample_times
from cavmae_sync.paper import (
    CAVMAE_NUM_FRAMES,
    HOP_MILLISECONDS,
    SAMPLE_RATE_HZ,
    SPECTROGRAM_LENGTH,
    WINDOW_MILLISECONDS,
)
from cavmae_sync.work.source_file import SourceFile
from cavmae_sync.work.units import Share, ShareProgress

#: Placeholder for a folder in the paths of a template, for example `<YOUR_VGGS_PATH>`.
_PLACEHOLDER: Final = re.compile(r"<[A-Za-z0-9_ ]+>")
#: Number of clips whose frames are counted before the import.
_NUM_CHECKED: Final = 64
_KEYS = ("video_id", "wav", "video_path", "labels")
#: Seconds of sound for the published 1024 spectrogram frames; the published loader drops the rest.
_MOST_SECONDS = ((SPECTROGRAM_LENGTH - 1) * HOP_MILLISECONDS + WINDOW_MILLISECONDS) / 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class CavmaeEntry(SourceFile):
    """Entry of the manifest. `path` and `id` are the video id.

    Attributes:
        wav: Path of the sound file.
        frames: Path of the folder with `frame_0`, `frame_1`, ...
        frame_file: Name of the JPEG in each of these.
    """

    wav: str
    frames: str
    frame_file: str


def import_cavmae(
    manifest: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    config: PrepareConfig | None = None,
    num_workers: int | None = None,
    max_rejected_fraction: float = 1.0,
    share: Share | None = None,
    on_progress: Callable[[ShareProgress], None] | None = None,
) -> PrepareReport:
    """Convert a dataset in the layout of CAV-MAE into a prepared dataset.

    Sound is resampled to 16 kHz if needed, and the first channel is taken; up to 1024 spectrogram frames are
    kept, as many as the published loader uses. The layout has no times of frames: they are computed by
    `config.sampling` over the duration of the sound, at most `clip_seconds`.

    Args:
        manifest: JSON file. Relative paths in it are relative to its folder.
        out: Folder for the dataset, as in `prepare`.
        root: Folder that replaces the placeholder of a template, `<YOUR_VGGS_PATH>`.
        config: `num_frames`, `frame_pixels` and `sampling` must be those of the layout.
        num_workers: As in `prepare`.
        max_rejected_fraction: As in `prepare`.
        share: As in `prepare`.
        on_progress: As in `prepare`.

    Returns:
        Report of the import.

    Raises:
        DatasetError: The manifest is missing or malformed, has a placeholder but no `root` is given, the
            clips have another number of frames than `config.num_frames`, or `out` holds other files.
        TooManyRejectedError: More clips than allowed were rejected, or all.
    """
    config = config or PrepareConfig()
    listing, labels = _read_manifest(Path(manifest), None if root is None else Path(root))
    _check_num_frames(listing, config.num_frames, Path(manifest))
    job = Job(
        listing=listing,
        labels=labels,
        labels_fingerprint=None,
        label_use=LabelUse(),
        read=read_cavmae_entry,
    )
    return run_job(
        job,
        out=out,
        config=config,
        num_workers=num_workers,
        max_rejected_fraction=max_rejected_fraction,
        share=share or Share(),
        on_progress=on_progress,
    )


def read_cavmae_entry(root: Path, source: SourceFile, config: PrepareConfig) -> Iterator[SourceClip]:
    """Read the clip of an entry.

    Raises:
        MediaError: The sound or a frame is missing or damaged, or the sound is too short.
    """
    if not isinstance(source, CavmaeEntry):
        raise TypeError(f"needs a CavmaeEntry, got {type(source).__name__}")
    wav = root / source.wav
    waveform_S = read_audio(wav, channel=config.channel)
    rate_hz = probe(wav).audio[0].sample_rate_hz
    waveform_S = waveform_S[: round(max(_MOST_SECONDS, config.clip_seconds) * SAMPLE_RATE_HZ)]
    seconds = len(waveform_S) / SAMPLE_RATE_HZ
    if seconds < config.min_seconds:
        raise ClipTooShortError(
            f"{wav} has {seconds:.3f} s of sound, but at least {config.min_seconds} s are needed. Remove it."
        )
    jpegs = [
        _read_bytes(root / source.frames / f"frame_{t}" / source.frame_file) for t in range(config.num_frames)
    ]
    if (root / source.frames / f"frame_{config.num_frames}" / source.frame_file).exists():
        raise DecodeError(
            f"{source.id} has more than num_frames={config.num_frames} frames. The first ones show only "
            "the beginning of the clip. Set num_frames to the number that was extracted."
        )
    frames_THWC = _decode_frames(jpegs, source.id)
    shown_seconds = min(seconds, config.clip_seconds)
    clip = Clip(
        frames_THWC=frames_THWC,
        frame_seconds_T=sample_times(
            config.sampling,
            num_frames=config.num_frames,
            duration_seconds=shown_seconds,
            last_frame_seconds=shown_seconds,
            frame_period_seconds=shown_seconds / config.num_frames,
        ),
        waveform_S=waveform_S,
        duration_seconds=seconds,
    )
    digest = hashlib.sha256(wav.read_bytes())
    for jpeg in jpegs:
        digest.update(jpeg)
    is_right_size = frames_THWC.shape[1:3] == (config.frame_pixels, config.frame_pixels)
    yield SourceClip(
        id=source.id,
        content_hash=digest.hexdigest(),
        clip=clip,
        jpegs=tuple(jpegs) if is_right_size else None,
        is_resampled=rate_hz != SAMPLE_RATE_HZ,
    )


def num_frames_on_disk(root: Path, entry: CavmaeEntry) -> int:
    """Number of frames of a clip on disk, counted from `frame_0` to the first that is missing."""
    number = 0
    while (root / entry.frames / f"frame_{number}" / entry.frame_file).is_file():
        number += 1
    return number


def _check_num_frames(listing: SourceList, num_frames: int, manifest: Path) -> None:
    """Check that most clips have `num_frames` frames, for some clips spread evenly over the list.

    Single clips with another number are rejected later, and listed in `rejected.parquet`.
    """
    entries = [entry for entry in listing.files if isinstance(entry, CavmaeEntry)]
    step = -(-len(entries) // _NUM_CHECKED)
    counts = Counter(num_frames_on_disk(listing.root, entry) for entry in entries[::step])
    del counts[0]
    if not counts:
        return  # no frames at all: each clip is rejected later with the missing path
    found, num_clips = counts.most_common(1)[0]
    if found == num_frames or num_clips <= counts[num_frames]:
        return
    advice = (
        f"Extract {num_frames} frames of each video"
        if num_frames > found
        else f"Set num_frames={found} to take all of them"
    )
    also = f", or set num_frames={found} for a model trained on {found} frames" if num_frames > found else ""
    plain = ", as plain CAV-MAE is" if found == CAVMAE_NUM_FRAMES and also else ""
    raise DatasetError(
        f"{manifest}: the clips have {found} frames ({num_clips} of {counts.total()} clips checked), but "
        f"num_frames={num_frames}. Frame i belongs to the sound at i / num_frames of the clip, so frames of "
        f"another extraction would get the wrong sound. {advice}{also}{plain}."
    )


def _read_manifest(manifest: Path, root: Path | None) -> tuple[SourceList, tuple[tuple[str, ...], ...]]:
    if not manifest.is_file():
        raise DatasetError(f"{manifest} is not a file. Give the JSON manifest of the dataset.")
    content = manifest.read_bytes()
    data = parse_json(content.decode("utf-8-sig", errors="replace"), manifest)
    first: dict[str, int] = {}
    for number, item in enumerate(data):
        _check_item(item, f"{manifest}, entry {number}")
        if item["video_id"] in first:
            raise DatasetError(
                f"{manifest}, entry {number}: {item['video_id']} is already entry {first[item['video_id']]}. "
                "Remove one of them."
            )
        first[item["video_id"]] = number
    disk, folder = DiskSpellings(), manifest.parent.absolute()
    entries = tuple(
        _entry(item, root, f"{manifest}, entry {number}", folder=folder, disk=disk)
        for number, item in enumerate(data)
    )
    labels = tuple(tuple(map(nfc, filter(None, item["labels"].split(",")))) for item in data)
    listing = SourceList(
        root=folder,
        files=entries,
        skipped=(),
        fingerprint=hashlib.sha256(content).hexdigest(),
    )
    return listing, labels


def _entry(
    item: dict[str, str], root: Path | None, where: str, *, folder: Path, disk: DiskSpellings
) -> CavmaeEntry:
    name = item["video_id"]
    wav = disk.find(folder / _replaced(item["wav"], root, where))
    frames = disk.find(folder / _replaced(item["video_path"], root, where))
    return CavmaeEntry(
        path=name,
        id=name,
        num_bytes=None,
        wav=str(wav),
        frames=str(frames),
        frame_file=disk.find(frames / "frame_0" / f"{name}.jpg").name,
    )


def _replaced(path: str, root: Path | None, where: str) -> str:
    """Path with the placeholder of a template replaced by the root folder."""
    placeholder = _PLACEHOLDER.match(path)
    if placeholder is None:
        return path
    if root is None:
        raise DatasetError(
            f"{where}: {path!r} has the placeholder {placeholder[0]} of a template. Give the folder that it "
            "stands for: --root FOLDER, the one with the folders of sounds and frames."
        )
    return f"{root.absolute()}{path[placeholder.end() :]}"


def _check_item(item: Any, where: str) -> None:
    if not isinstance(item, dict):
        raise DatasetError(f"{where} is not an object.")
    for key in _KEYS:
        if not isinstance(item.get(key), str) or not (item[key] or key == "labels"):
            raise DatasetError(f"{where}: {key!r} is {item.get(key)!r}, but must be a text.")
    # The id becomes the name of members of shards, which must not leave the folder where a shard is unpacked.
    name = PurePosixPath(item["video_id"])
    if name.is_absolute() or ".." in name.parts:
        raise DatasetError(f"{where}: the video_id {item['video_id']!r} leads out of its folder. Rename it.")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableFileError(f"{path} is missing. Extract the frames of this clip again.") from error
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise UnreadableFileError(
            f"{path} cannot be read ({error.strerror}). Make it a readable file."
        ) from error


def _decode_frames(jpegs: list[bytes], clip_id: str) -> NDArray[np.uint8]:
    frames: list[NDArray[np.uint8]] = []
    for t, jpeg in enumerate(jpegs):
        try:
            frames.append(decode_jpeg(jpeg))
        except ValueError as error:
            raise DecodeError(
                f"frame {t} of {clip_id} is not a whole JPEG: {error}. Extract it again."
            ) from error
    sizes = {frame.shape for frame in frames}
    if len(sizes) > 1:
        raise DecodeError(f"the frames of {clip_id} have several sizes: {sorted(sizes)}. Extract them again.")
    return np.stack(frames)

"""Datasets in the layout of CAV-MAE -> prepared dataset.

The layout: a JSON file `{"data": [{"video_id", "wav", "video_path", "labels"}, ...]}`, a sound file per
clip, and frames at `video_path/frame_0/VIDEO_ID.jpg ...`. Frames of the right size are taken over byte for
byte. A missing frame rejects its clip; nothing is put in its place. How many frames the folder holds is
looked at before any work: a folder of 10 is not read as one of 16, nor the other way round.
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

#: What a template has in the place of a folder, for example `<YOUR_VGGS_PATH>`.
_PLACEHOLDER: Final = re.compile(r"<[A-Za-z0-9_ ]+>")
#: Clips whose frames are counted before any work.
_NUM_LOOKED_AT: Final = 64
_KEYS = ("video_id", "wav", "video_path", "labels")
#: Sound that fills the published 1024 spectrogram frames; more is never used.
_MOST_SECONDS = ((SPECTROGRAM_LENGTH - 1) * HOP_MILLISECONDS + WINDOW_MILLISECONDS) / 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class CavmaeEntry(SourceFile):
    """One entry of the manifest. `path` and `id` are the video id.

    Attributes:
        wav: Sound file.
        frames: Folder of `frame_0`, `frame_1`, ...
        picture: Name of its file in each of them.
    """

    wav: str
    frames: str
    picture: str


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

    Sound of another rate is resampled to 16 kHz, of several channels the first is taken; up to 1024
    spectrogram frames are kept, as the published loader uses. Frame times are not in the layout: they are
    computed by `config.sampling` over the length of the sound, at most `clip_seconds`.

    Args:
        manifest: JSON file. Relative paths in it are relative to its folder.
        out: Folder for the dataset, as in `prepare`.
        root: Folder that stands for the placeholder of a template's paths, `<YOUR_VGGS_PATH>`.
        config: `num_frames`, `frame_pixels` and `sampling` must say what the layout holds.
        num_workers: As in `prepare`.
        max_rejected_fraction: As in `prepare`.
        share: As in `prepare`.
        on_progress: As in `prepare`.

    Returns:
        The audit.

    Raises:
        DatasetError: The manifest is missing or malformed, has a placeholder and no `root`, its folders hold
            another number of frames than `config.num_frames`, or `out` holds something else.
        TooManyRejectedError: More clips were rejected than allowed, or all.
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
    """The one clip of an entry.

    Raises:
        MediaError: The sound or a frame is missing or damaged, or the sound too short.
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
        _read_bytes(root / source.frames / f"frame_{t}" / source.picture) for t in range(config.num_frames)
    ]
    if (root / source.frames / f"frame_{config.num_frames}" / source.picture).exists():
        raise DecodeError(
            f"{source.id} has more than num_frames={config.num_frames} frames. Taking the first ones would "
            "show the beginning of the clip as if it were the whole. Set num_frames to what was extracted."
        )
    frames_THWC = _decode_frames(jpegs, source.id)
    shown = min(seconds, config.clip_seconds)
    clip = Clip(
        frames_THWC=frames_THWC,
        frame_seconds_T=sample_times(
            config.sampling,
            num_frames=config.num_frames,
            duration_seconds=shown,
            last_frame_seconds=shown,
            frame_period_seconds=shown / config.num_frames,
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
    """Frames of a clip that are there, counted from `frame_0` on to the first that is missing."""
    number = 0
    while (root / entry.frames / f"frame_{number}" / entry.picture).is_file():
        number += 1
    return number


def _check_num_frames(listing: SourceList, num_frames: int, manifest: Path) -> None:
    """Refuse a layout of which most clips that were looked at have another number of frames.

    Some clips, evenly spread over the list, tell what was extracted; damaged ones are for the audit.
    """
    entries = [entry for entry in listing.files if isinstance(entry, CavmaeEntry)]
    step = -(-len(entries) // _NUM_LOOKED_AT)
    counts = Counter(num_frames_on_disk(listing.root, entry) for entry in entries[::step])
    del counts[0]
    if not counts:
        return  # each clip is then rejected with the path that is missing
    found, num_clips = counts.most_common(1)[0]
    if found == num_frames or num_clips <= counts[num_frames]:
        return
    ways_out = (
        f"Extract {num_frames} frames of each video"
        if num_frames > found
        else f"Set num_frames={found} to take all of them"
    )
    also = f", or set num_frames={found} for a model trained on {found} frames" if num_frames > found else ""
    plain = ", as plain CAV-MAE is" if found == CAVMAE_NUM_FRAMES and also else ""
    raise DatasetError(
        f"{manifest}: the folders hold {found} frames of each clip ({num_clips} of {counts.total()} clips "
        f"looked at), but num_frames={num_frames}. Frame i belongs to the sound at i / num_frames of the "
        "clip, so that frames of another extraction would meet the wrong sound. "
        f"{ways_out}{also}{plain}."
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
                f"{manifest}, entry {number}: {item['video_id']} is entry {first[item['video_id']]} already."
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
    wav = disk.find(folder / _placed(item["wav"], root, where))
    frames = disk.find(folder / _placed(item["video_path"], root, where))
    return CavmaeEntry(
        path=name,
        id=name,
        num_bytes=None,
        wav=str(wav),
        frames=str(frames),
        picture=disk.find(frames / "frame_0" / f"{name}.jpg").name,
    )


def _placed(path: str, root: Path | None, where: str) -> str:
    """A path with the placeholder of a template replaced."""
    placeholder = _PLACEHOLDER.match(path)
    if placeholder is None:
        return path
    if root is None:
        raise DatasetError(
            f"{where}: {path!r} has the placeholder {placeholder[0]} of a template. Say which folder it "
            "stands for: --root FOLDER, the one that holds the folders of sounds and frames."
        )
    return f"{root.absolute()}{path[placeholder.end() :]}"


def _check_item(item: Any, where: str) -> None:
    if not isinstance(item, dict):
        raise DatasetError(f"{where} is not an object.")
    for key in _KEYS:
        if not isinstance(item.get(key), str) or not (item[key] or key == "labels"):
            raise DatasetError(f"{where}: {key!r} is {item.get(key)!r}, it must be a text.")
    # It names members of shards, which must not land outside of the folder where somebody unpacks them.
    name = PurePosixPath(item["video_id"])
    if name.is_absolute() or ".." in name.parts:
        raise DatasetError(f"{where}: the video_id {item['video_id']!r} points out of its folder. Rename it.")


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

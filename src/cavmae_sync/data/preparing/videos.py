"""Clips of a video file, with their ids."""

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.preparing.prepare_unit import SourceClip
from cavmae_sync.inputs import resize_and_crop
from cavmae_sync.media import iterate_clips, passed_over
from cavmae_sync.work.source_file import SourceFile


def read_video(root: Path, source: SourceFile, config: PrepareConfig) -> Iterator[SourceClip]:
    """Read all clips of a video, with frames resized to the size that is stored.

    The id of a clip has its start (`ID@START`) only if the file has several clips.

    Raises:
        MediaError: The file cannot be used. Raised when reading reaches the damaged place.
    """
    path = root / source.path
    clips = islice(
        iterate_clips(
            path,
            clip_seconds=config.clip_seconds,
            hop_seconds=config.hop_seconds,
            num_frames=config.num_frames,
            sampling=config.sampling,
            channel=config.channel,
            min_seconds=config.min_seconds,
            transform_frame=partial(_resized, pixels=config.frame_pixels),
        ),
        config.max_clips_per_file,
    )
    first_two = list(islice(clips, 2))  # read before hashing, so that a bad file raises a `MediaError`
    content_hash = content_hash_of(path)
    notes = passed_over(path)
    for clip in chain(first_two, clips):
        start = f"@{clip.start_seconds:.3f}" if len(first_two) > 1 else ""
        yield SourceClip(id=f"{source.id}{start}", content_hash=content_hash, clip=clip, notes=notes)


def content_hash_of(path: Path) -> str:
    """SHA-256 of a file, the `content_hash` of its clips."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resized(frame_HWC: NDArray[np.uint8], *, pixels: int) -> NDArray[np.uint8]:
    return resize_and_crop(frame_HWC[None], pixels=pixels)[0].numpy()

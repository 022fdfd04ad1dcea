"""The clips of a video file, with their ids."""

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
    """All clips of a video, their frames of the size that is kept.

    Only where there are several does an id tell the start.

    Raises:
        MediaError: The file cannot be used, when the pass reaches the place.
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
            transform_frame=partial(_fitted, pixels=config.frame_pixels),
        ),
        config.max_clips_per_file,
    )
    first_two = list(islice(clips, 2))  # what is missing or no media is refused here, with a reason
    content_hash = content_hash_of(path)
    notes = passed_over(path)
    for clip in chain(first_two, clips):
        start = f"@{clip.start_seconds:.3f}" if len(first_two) > 1 else ""
        yield SourceClip(id=f"{source.id}{start}", content_hash=content_hash, clip=clip, notes=notes)


def content_hash_of(path: Path) -> str:
    """SHA-256 of a file: what `content_hash` of its clips is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fitted(frame_HWC: NDArray[np.uint8], *, pixels: int) -> NDArray[np.uint8]:
    return resize_and_crop(frame_HWC[None], pixels=pixels)[0].numpy()

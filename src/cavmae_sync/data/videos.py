"""The clips of a video file, with their ids."""

import hashlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.sources import SourceFile
from cavmae_sync.data.unit import SourceClip
from cavmae_sync.media import iterate_clips


def read_video(root: Path, source: SourceFile, config: PrepareConfig) -> Iterator[SourceClip]:
    """All clips of a video. Only where there are several does an id tell the start.

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
        ),
        config.max_clips_per_file,
    )
    first_two = list(islice(clips, 2))  # what is missing or no media is refused here, with a reason
    content_hash = content_hash_of(path)
    for clip in chain(first_two, clips):
        start = f"@{clip.start_seconds:.3f}" if len(first_two) > 1 else ""
        yield SourceClip(id=f"{source.id}{start}", content_hash=content_hash, clip=clip)


def content_hash_of(path: Path) -> str:
    """SHA-256 of a file: what `content_hash` of its clips is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

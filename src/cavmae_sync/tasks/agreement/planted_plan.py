"""Plan of a test with planted faults: clips of the reference, and videos made of the others."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.agreement.config import PlantedConfig
from cavmae_sync.tasks.agreement.planted_videos import PLANTED_FAULTS, PlantedVideo, plant_fault

_LEAST_VIDEOS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantedTest:
    """Clips of the reference, and planted videos made of the others.

    Attributes:
        reference_clips: Numbers of the clips of the reference.
        videos: For each row of clips a video with each fault, in the order of `PLANTED_FAULTS`.
        clip_list: Fingerprint of all clips.
    """

    reference_clips: tuple[int, ...]
    videos: tuple[tuple[PlantedVideo, ...], ...]
    clip_list: str


def plan_test(clips: PreparedDataset, config: PlantedConfig) -> PlantedTest:
    """Deal the clips at random to videos and to the reference. No file is in both.

    Args:
        clips: Prepared clips of one length.
        config: How many videos, and of how many clips.

    Raises:
        DatasetError: There are too few clips.
    """
    num_videos, clips_per_video = config.num_videos, config.clips_per_video
    needed = num_videos * clips_per_video
    if num_videos < _LEAST_VIDEOS or needed > len(clips) * 2 // 3:
        raise DatasetError(
            f"{clips.folder} has {len(clips)} clips. {num_videos} videos of {clips_per_video} clips need "
            f"{needed}, and a third of all clips is kept as reference; at least {_LEAST_VIDEOS} videos are "
            "needed. Ask for fewer or shorter videos, or prepare more clips."
        )
    generator = np.random.default_rng(config.seed)
    order = generator.permutation(len(clips))
    rows = order[:needed].reshape(num_videos, clips_per_video).tolist()
    hashes = clips.content_hashes
    tested = {hashes[clip] for row in rows for clip in row}
    reference = tuple(clip for clip in order[needed:].tolist() if hashes[clip] not in tested)
    if not reference:
        raise DatasetError(
            f"Every file of {clips.folder} is in one of the videos: none is left as reference. Ask for fewer "
            "or shorter videos, or prepare more files."
        )
    length = clips.config.clip_seconds
    # The foreign sound of a row is that of the next: all of it is in the test, none of it in the reference.
    videos = tuple(
        tuple(
            plant_fault(
                row, clip_seconds=length, foreign=rows[(n + 1) % num_videos], fault=fault, generator=generator
            )
            for fault in PLANTED_FAULTS
        )
        for n, row in enumerate(rows)
    )
    return PlantedTest(reference_clips=reference, videos=videos, clip_list=clips.list_sha256)

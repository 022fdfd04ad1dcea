"""Weights files that are known by hash or size, and frames per clip of published weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cavmae_sync.choices import Layout
from cavmae_sync.paper import CAVMAE_NUM_FRAMES, NUM_FRAMES


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFile:
    """A known weights file.

    Attributes:
        sha256_start: First digits of its SHA-256.
        num_bytes: Size.
        says: What the file is said to be, and by whom.
    """

    sha256_start: str
    num_bytes: int
    says: str


#: Entries come from third parties: we could not download any of these files to check them.
KNOWN_FILES: Final = (
    KnownFile(
        sha256_start="a035b04c",
        num_bytes=762_886_272,
        says="what the download script of CAV-MAE Sync fetches, according to third parties, of whom one says "
        "that it is CAV-MAE's audio_model.25.pth; the layout tells which",
    ),
)

#: Frames of each clip in the training of published weights, by layout.
PUBLISHED_NUM_FRAMES: Final[Mapping[Layout, int]] = MappingProxyType(
    {"sync": NUM_FRAMES, "cavmae": CAVMAE_NUM_FRAMES}
)


def known_file(sha256: str | None) -> KnownFile | None:
    """Entry of a file by its SHA-256; None for an unknown one."""
    return next((known for known in KNOWN_FILES if sha256 and sha256.startswith(known.sha256_start)), None)


def known_file_of_size(num_bytes: int | None) -> KnownFile | None:
    """Entry of a file by its size; None for an unknown one."""
    return next((known for known in KNOWN_FILES if known.num_bytes == num_bytes), None)

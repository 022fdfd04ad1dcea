"""Held-out clips: the same ones every time, and never clips of one file in both parts."""

import hashlib
from dataclasses import dataclass

from cavmae_sync.data.loading.targets import LabelledClips
from cavmae_sync.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSplit:
    """Rows of a dataset in two parts, each in ascending order and not empty."""

    kept: tuple[int, ...]
    held_out: tuple[int, ...]


def split_by_file(clips: LabelledClips, *, fraction: float, seed: int) -> FileSplit:
    """Hold out the clips of about a fraction of the files.

    The choice depends on the seed and the content of each file alone. So clips of one file, or of copies of
    it, stay together, and adding clips to the list does not move the others.

    Args:
        clips: The clips to divide.
        fraction: Share of files to hold out, between 0 and 1.
        seed: Seed of the choice.

    Raises:
        DatasetError: One part would be empty.
    """
    held_out: list[int] = []
    kept: list[int] = []
    for row, content_hash in enumerate(clips.content_hashes):
        word = hashlib.blake2b(f"{seed} {content_hash}".encode(), digest_size=8).digest()
        (held_out if int.from_bytes(word) < fraction * 2**64 else kept).append(row)
    if not (kept and held_out):
        raise DatasetError(
            f"{clips.folder} has {len(clips)} clips, too few to hold out {fraction} of the files. "
            "Prepare more, change the fraction, or choose the learning rate yourself: learning_rates=none "
            "optim.learning_rate=1e-3."
        )
    return FileSplit(kept=tuple(kept), held_out=tuple(held_out))

"""Places of the own clip of every clip, among all clips, in both directions.

Letters: N clips (all are queries and gallery), T frames per clip, D width, Q queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from torch import Tensor

from cavmae_sync.choices import AggregationName, Counting
from cavmae_sync.embedding import similarity_blocks
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.metrics import MatchCounts, PairedMatchCounter

Direction = Literal["audio_to_visual", "visual_to_audio"]

DIRECTIONS: Final[tuple[Direction, ...]] = ("audio_to_visual", "visual_to_audio")


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """Places of the own clip of every clip, in both directions.

    Attributes:
        by_direction: Counts of larger and equal scores, by the names of `DIRECTIONS`.
        num_nan: Number of scores that are not a number.
    """

    by_direction: Mapping[Direction, MatchCounts]
    num_nan: int

    def ranks(self, ties: Counting) -> dict[Direction, Tensor]:
        """Ranks (0 = best) of all queries, by direction; see `MatchCounts.ranks`."""
        return {name: counts.ranks(ties) for name, counts in self.by_direction.items()}


def find_matches(
    audio_NTD: Tensor,
    visual_NTD: Tensor,
    *,
    aggregation: AggregationName = "diagonal_mean",
    on_progress: OnProgress | None = None,
) -> Matches:
    """Compare all clips with all clips, in both directions at once, in bounded memory.

    The matrix of scores is never stored: each block is counted and dropped. The ranks equal those of
    `true_match_ranks(similarity_matrix(...))`, bit for bit.

    Args:
        audio_NTD: Unit rows, one per clip and frame; half precision and memory-mapped files are read
            block by block.
        visual_NTD: Unit rows of the same clips.
        aggregation: How the cosines of two clips' frames become one score.
        on_progress: Called with scores done and scores in all.

    Raises:
        ValueError: Shapes do not fit.
    """
    if len(audio_NTD) != len(visual_NTD):
        raise ValueError(
            f"Each clip needs vectors of sound and of frames, got {len(audio_NTD)} and {len(visual_NTD)}."
        )
    counter = PairedMatchCounter(len(audio_NTD), device=audio_NTD.device)
    num_done = 0
    for block in similarity_blocks(audio_NTD, visual_NTD, aggregation=aggregation):
        counter.add(block.scores_QG, rows=block.rows, columns=block.columns)
        num_done += block.scores_QG.numel()
        if on_progress is not None:
            on_progress(num_done, len(audio_NTD) ** 2)
    by_direction = MappingProxyType(dict(zip(DIRECTIONS, counter.counts(), strict=True)))
    return Matches(by_direction=by_direction, num_nan=counter.num_nan)

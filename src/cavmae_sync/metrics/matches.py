"""Counts of the scores above, and equal to, the score of a query's own item, from which its rank follows.

Counts add up over blocks of a similarity matrix, so that the whole matrix is never stored. One block serves
both directions: its rows are the queries of one, its columns those of the other.

Letters: Q queries, G gallery, N clips (each a query and a gallery item), D directions, E entries counted by
the published code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

import torch
from torch import Tensor

from cavmae_sync.choices import Counting

#: Place of the own item among the items with exactly its score, in [0, 1].
_TIE_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {"mean": 0.5, "optimistic": 0.0, "pessimistic": 1.0}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchCounts:
    """Place of each query's own item.

    Attributes:
        closer_Q: int64, number of gallery items with a larger score than the own item.
        equal_Q: int64, number of items with exactly its score, itself included; 0 where it is not a number.
        num_gallery: Number of items each query was compared with.
    """

    closer_Q: Tensor
    equal_Q: Tensor
    num_gallery: int

    def ranks(self, ties: Counting = "mean") -> Tensor:
        """Rank (0 = best) of each query's own item; see `true_match_ranks` and `official_ranks`.

        Args:
            ties: Place of the own item among equal scores.

        Returns:
            float64 [Q] on the CPU (MPS has no float64), in [0, G - 1]; for "official" [E], every place of a
            score that equals the own one.
        """
        if ties == "official":
            return self._places()
        if ties not in _TIE_SHARE:
            raise ValueError(f"ties must be one of {', '.join(_TIE_SHARE)}, got {ties!r}.")
        closer_Q, equal_Q = self.closer_Q.cpu(), self.equal_Q.cpu()
        ranks_Q = closer_Q.double() + _TIE_SHARE[ties] * (equal_Q - 1).double()
        return torch.where(equal_Q == 0, self.num_gallery - 1.0, ranks_Q)

    def _places(self) -> Tensor:
        equal_Q = self.equal_Q.cpu()
        first_E = self.closer_Q.cpu().repeat_interleave(equal_Q)
        before_Q = equal_Q.cumsum(0) - equal_Q
        within_E = torch.arange(len(first_E)) - before_Q.repeat_interleave(equal_Q)
        return (first_E + within_E).double()


class PairedMatchCounter:
    """Counter for both directions over the blocks of one square matrix; item i belongs to query i.

    A block with own scores must come before all other blocks of its rows or columns. Own scores are taken
    from it and never computed again: another kernel would differ in the last bits, and a clip would be beaten
    by itself.

    Attributes:
        num_nan: Number of scores so far that are not a number. A report must print it when it is not 0.
    """

    def __init__(self, num_clips: int, *, device: torch.device | str = "cpu") -> None:
        self.num_nan = 0
        self._own_N = torch.full((num_clips,), torch.nan, device=device)
        self._is_known_N = torch.zeros(num_clips, dtype=torch.bool, device=device)
        # Two directions: rows as queries, columns as queries.
        self._closer_DN = torch.zeros(2, num_clips, dtype=torch.int64, device=device)
        self._equal_DN = torch.zeros(2, num_clips, dtype=torch.int64, device=device)

    def add(self, scores_QG: Tensor, *, rows: slice, columns: slice) -> Self:
        """Count one block.

        Args:
            scores_QG: float32.
            rows: Rows of the matrix.
            columns: Columns of the matrix.

        Raises:
            ValueError: The block with the own scores of these rows or columns was not added before.
        """
        first, stop = max(rows.start, columns.start), min(rows.stop, columns.stop)
        if first < stop:
            own = torch.arange(first, stop, device=scores_QG.device)
            self._own_N[first:stop] = scores_QG[own - rows.start, own - columns.start]
            self._is_known_N[first:stop] = True
        if not (self._is_known_N[rows].all() and self._is_known_N[columns].all()):
            raise ValueError(f"Add the block with the own scores of rows {rows} and columns {columns} first.")
        # Comparisons as float32 are summed three times faster than booleans, and exactly below 2**24.
        is_so_QG = torch.empty_like(scores_QG)
        own_row_Q, own_column_G = self._own_N[rows, None], self._own_N[None, columns]
        for compare, counts_DN in ((torch.gt, self._closer_DN), (torch.eq, self._equal_DN)):
            counts_DN[0, rows] += compare(scores_QG, own_row_Q, out=is_so_QG).sum(dim=1).long()
            counts_DN[1, columns] += compare(scores_QG, own_column_G, out=is_so_QG).sum(dim=0).long()
        if not scores_QG.sum().isfinite():
            self.num_nan += int(scores_QG.isnan().sum())
        return self

    def counts(self) -> tuple[MatchCounts, MatchCounts]:
        """Counts with rows as queries, and with columns as queries."""
        num_clips = len(self._own_N)
        first, second = (
            MatchCounts(closer_Q=closer_N.cpu(), equal_Q=equal_N.cpu(), num_gallery=num_clips)
            for closer_N, equal_N in zip(self._closer_DN, self._equal_DN, strict=True)
        )
        return first, second

"""Questions that were asked, kept for a while: for more hits, other filters, and the views behind a hit."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cavmae_sync.errors import DatasetError
from cavmae_sync.search import Moment, Query

#: Questions and numbers of vectors that are kept; what was used longest ago goes first.
_MOST_QUERIES: Final = 256
_MOST_NUMBERS: Final = 1 << 26


class UnknownQueryError(DatasetError):
    """The question is not kept any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedQuery:
    """Question that was asked.

    Attributes:
        query: Its vectors.
        own: Moment of the library that it was taken from.
        file_hash: SHA-256 of the file that was sent; None for others.
    """

    query: Query
    own: Moment | None = None
    file_hash: str | None = None

    @property
    def num_numbers(self) -> int:
        """Numbers of its vectors."""
        return sum(rows.size for phase in self.query.phases for rows in phase.rows.values())


class AskedQueries:
    """Questions by a name that cannot be guessed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, AskedQuery] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, asked: AskedQuery) -> str:
        """Name of a question, which is kept."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[name] = asked
            total = sum(each.num_numbers for each in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > _MOST_QUERIES or total > _MOST_NUMBERS):
                total -= self._kept.popitem(last=False)[1].num_numbers
        return name

    def get(self, name: str) -> AskedQuery:
        """The question of a name.

        Raises:
            UnknownQueryError: It is not kept any more.
        """
        with self._lock:
            if name not in self._kept:
                raise UnknownQueryError("This question is not kept any more. Ask it again.")
            self._kept.move_to_end(name)
            return self._kept[name]

"""Library in; moments out: search by a sound, a picture, a video, or a moment of the library itself.

- `query`: a file, or a part of one, as vectors at the steps of the library.
- `timeline`: moments of all contents at equal steps. `windows`: means of a few, for the coarse index.
- `coarse`: engines that propose windows. `placements`: where a query is laid, and how well it fits, exactly.
- `calibration`: how good the best hit of a query without an answer is. `contents`: what may be found.
- `library_search`: `LibrarySearch`, which brings these together. `options`: how. `hits`: what it gives.
"""

from cavmae_sync.search.calibration import By
from cavmae_sync.search.coarse import CoarseName
from cavmae_sync.search.contents import Filter
from cavmae_sync.search.hits import Found, Hit, Place, verdict
from cavmae_sync.search.library_search import LibrarySearch
from cavmae_sync.search.options import Moment, SearchOptions
from cavmae_sync.search.query import Box, Query, Span, parse_span, picture_query, sound_query, video_query

__all__ = [
    "Box",
    "By",
    "CoarseName",
    "Filter",
    "Found",
    "Hit",
    "LibrarySearch",
    "Moment",
    "Place",
    "Query",
    "SearchOptions",
    "Span",
    "parse_span",
    "picture_query",
    "sound_query",
    "verdict",
    "video_query",
]

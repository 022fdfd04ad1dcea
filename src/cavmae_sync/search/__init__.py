"""Library in; moments out: search by a sound, a picture, a video, or a moment of the library itself.

- `query`: what is looked for, as vectors at the steps of the library. `query_media`: made from files.
- `query_decode`: sound and frames of these files, without a model.
- `query_vectors`: made from vectors, texts and classes.
- `timeline`: moments of all contents at equal steps. `windows`: means of a few, for the coarse index.
- `coarse`: engines that propose windows. `indexes`: one for each sense, and they grow. `cells`: kept.
- `placements`: where a query is laid, and how well it fits, exactly. `axes`, `scoring`: the same by sense.
- `calibration`: how good the best hit of a query without an answer is. `scales`: that for each kind of query.
- `contents`: what may be found. `engine_rows`: rows for engines of others.
- `strips`: how a query fits along a file, and moment against moment.
- `library_search`: `LibrarySearch`, which brings these together. `options`: how. `hits`: what it gives.
"""

from cavmae_sync.search.calibration import By
from cavmae_sync.search.coarse import CoarseName
from cavmae_sync.search.contents import Filter
from cavmae_sync.search.hits import Found, Hit, Place, verdict
from cavmae_sync.search.library_search import LibrarySearch
from cavmae_sync.search.options import Moment, SearchOptions
from cavmae_sync.search.query import Box, Query, Span, parse_span
from cavmae_sync.search.query_media import picture_query, sound_query, video_query
from cavmae_sync.search.query_vectors import class_query, text_query, vectors_query

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
    "class_query",
    "parse_span",
    "picture_query",
    "sound_query",
    "text_query",
    "vectors_query",
    "verdict",
    "video_query",
]

"""Video files in; a library out: a folder of Parquet files with one row of vectors per clip.

- `make`: `embed_library`, the whole job; stopped and started again, it goes on, on any number of machines.
- `config`: which clips are cut, and how vectors are stored.
- `pieces`: the work in pieces of bounded size; files to decoded clips, decoded clips to rows of vectors.
- `stream`: worker processes decode ahead of the model; the throughput of a run.
- `on_ray`: the same on a Ray cluster.
- `parts`: rows of a unit on their way to its Parquet file.
- `schema`: columns of the tables. `report`: counts of a library.
- `open`: `open_library`, which reads a library clip by clip or all at once.
"""

from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.make import (
    LibraryRun,
    embed_library,
    library_report,
    library_work,
    products_of_library,
)
from cavmae_sync.embedding.library.open import Library, open_library
from cavmae_sync.embedding.library.parts import UnitParts
from cavmae_sync.embedding.library.pieces import (
    DecodedPiece,
    EncodedPiece,
    LibraryUnit,
    decode_unit,
    encode_piece,
)
from cavmae_sync.embedding.library.report import LibraryReport
from cavmae_sync.embedding.library.stream import Throughput, encode_units

__all__ = [
    "DecodedPiece",
    "EncodedPiece",
    "Library",
    "LibraryConfig",
    "LibraryReport",
    "LibraryRun",
    "LibraryUnit",
    "Throughput",
    "UnitParts",
    "decode_unit",
    "embed_library",
    "encode_piece",
    "encode_units",
    "library_report",
    "library_work",
    "open_library",
    "products_of_library",
]

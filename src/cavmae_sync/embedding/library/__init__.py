"""A library of video files in, a folder of Parquet files with one row of vectors per clip out."""

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

"""A library of video files in, a folder of Parquet files with one row of vectors per clip out."""

from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.parts import UnitParts
from cavmae_sync.embedding.library.pieces import (
    DecodedPiece,
    EncodedPiece,
    LibraryUnit,
    decode_unit,
    encode_piece,
)
from cavmae_sync.embedding.library.stream import Pace, encode_units

__all__ = [
    "DecodedPiece",
    "EncodedPiece",
    "LibraryConfig",
    "LibraryUnit",
    "Pace",
    "UnitParts",
    "decode_unit",
    "encode_piece",
    "encode_units",
]

"""Video and sound files in; a library out: a folder of vectors that grows with the footage.

- `update`: `add_to_library` and `update_library` fill it; stopped and started again they go on, on any number
  of machines. `remove_files` takes files out.
- `config`: which clips are cut, and how vectors are stored. `record`: what made the library.
- `catalogue`: which files it knows and what became of them. `scan`: what changed on the disk.
- `entering`: what was found and read goes into the catalogue.
- `pieces`: the work on a file in pieces of bounded size; a file to decoded clips, these to rows of vectors.
- `stream`: worker processes decode ahead of the model. `on_ray`: the same on a Ray cluster.
- `vectors`: vectors that any encoder made, with their media.
- `parts`: rows of a content on their way to its file. `schema`: columns of such a file. `part`: reading it.
- `export`: one Parquet file for other programs.
- `open`: `open_library`, which reads a library. `report`: its counts. `convert`: from format version 1.
"""

from cavmae_sync.embedding.library.catalogue import Catalogue, ContentRow, FileRow, Root
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.convert import convert_if_old
from cavmae_sync.embedding.library.open import Library, open_library
from cavmae_sync.embedding.library.part import Part
from cavmae_sync.embedding.library.record import LibraryRecord, products_of_library
from cavmae_sync.embedding.library.report import LibraryReport
from cavmae_sync.embedding.library.stream import Throughput
from cavmae_sync.embedding.library.update import (
    FillOptions,
    LibraryRun,
    add_to_library,
    remove_files,
    update_library,
)
from cavmae_sync.embedding.library.vectors import ForeignVectors, add_vectors, read_foreign_vectors

__all__ = [
    "Catalogue",
    "ContentRow",
    "FileRow",
    "FillOptions",
    "ForeignVectors",
    "Library",
    "LibraryConfig",
    "LibraryRecord",
    "LibraryReport",
    "LibraryRun",
    "Part",
    "Root",
    "Throughput",
    "add_to_library",
    "add_vectors",
    "convert_if_old",
    "open_library",
    "products_of_library",
    "read_foreign_vectors",
    "remove_files",
    "update_library",
]

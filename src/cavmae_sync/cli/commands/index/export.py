"""`cavmae-sync index export`: a library for other programs."""

from pathlib import Path

from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.terminal import print_line


def export(library: Path, out: Path, /) -> None:
    """Write all clips of a library with their vectors into one Parquet file, for pandas, polars or DuckDB.

    Example: cavmae-sync index export my-library clips.parquet

    Args:
        library: Folder of the library.
        out: File to write, .parquet.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.embedding.library.export import export_clips

    check_output(out, option="OUT", suffix=".parquet")
    convert_if_old(library)
    count = export_clips(open_library(library), out)
    print_line(f"{count} clips are in {out}.")

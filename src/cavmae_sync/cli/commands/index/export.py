"""`cavmae-sync index export`: a library for other programs."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import print_line
from cavmae_sync.errors import ConfigError


def export(
    library: Path,
    out: Path,
    /,
    *,
    rows: Annotated[
        Literal["clips", "windows", "moments"],
        Parameter(
            help="One row for each clip with all its vectors; or, for search engines, one vector for each "
            "window of four moments, or for each moment."
        ),
    ] = "clips",
) -> None:
    """Write a library for other programs: for pandas, polars or DuckDB, or for a search engine.

    Rows of windows and of moments go into a Parquet file or a Lance dataset, by the ending of OUT. The page
    Search engines of the documentation loads them into Milvus and into LanceDB.

    Example: cavmae-sync index export my-library clips.parquet

    Example: cavmae-sync index export my-library windows.parquet --rows windows

    Args:
        library: Folder of the library.
        out: File to write, .parquet; or .lance for windows and moments.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.embedding.library.export import export_clips
    from cavmae_sync.search.engine_rows import export_engine_rows

    check_output(out, option="OUT", suffix=".parquet" if rows == "clips" else (".parquet", ".lance"))
    if out.exists() and out.suffix == ".lance":
        raise ConfigError(f"OUT {out} is there already. Remove it, or name another place.")
    convert_if_old(library)
    opened = open_library(library)
    if rows == "clips":
        count = export_clips(opened, out)
    else:
        with show_progress("files") as advance:
            count = export_engine_rows(opened, out, rows, on_progress=advance)
    print_line(f"{count} {rows} are in {out}.")

"""`cavmae-sync teach export`: marks as a file of other programs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.terminal import print_line


def export(
    library: Path,
    name: str,
    file: Annotated[Path, Parameter(help="File to write: .csv, or .txt for a selection table of Raven.")],
    /,
) -> None:
    """Write all marks to a CSV file, or to a selection table of Raven.

    The CSV file can be given to another library that holds some of the same files: `teach mark --from`.

    Example: cavmae-sync teach export my-library bell bell.csv

    Args:
        library: Folder of the library.
        name: What is taught.
    """
    from cavmae_sync.atomic import written_whole
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.teaching import Taught, export_marks

    check_output(file, option="FILE", suffix=(".csv", ".txt"))
    convert_if_old(library)
    taught = Taught(open_library(library), name)
    content = export_marks(taught, "csv" if file.suffix.lower() == ".csv" else "raven")
    with written_whole(file) as part:
        part.write_bytes(content)
    print_line(f"{len(taught.marks())} marks are in {file}.")

"""`cavmae-sync index add`: put files into a library."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.cli.libraries import fill
from cavmae_sync.cli.options import EncodeOptions, Json, Switch, Word, WorkOptions
from cavmae_sync.cli.outputs import check_folder


def add(
    library: Path,
    source: Path,
    /,
    *words: Word,
    model: Path | None = None,
    root: str | None = None,
    retry: Annotated[
        Switch, Parameter(help="Read failed files again although they have not changed.")
    ] = False,
    compute: EncodeOptions = EncodeOptions(),
    work: WorkOptions = WorkOptions(),
    as_json: Json = False,
) -> None:
    """Put video and sound files of any number and length into a library, to be searched.

    Files that are in it and have not changed are not read again; the same content at several places is
    encoded once. Files with sound alone or a picture alone are in it with that sense. Bad files are listed
    with a reason and cost nothing else. Stop it at any moment, even by kill -9, and run it again; search in
    it meanwhile.

    Words, with their defaults; they hold for the whole library from its beginning:

    - `clips.clip_seconds=10`: length of a clip.
    - `clips.num_frames=16`: moments of a clip.
    - `clips.max_clips_per_file=none`: take only the first clips of each file.
    - `clips.store=float16`: numbers of a stored vector, float16 or float32.

    Example: cavmae-sync index add my-library my-videos --model small

    Args:
        library: Folder of the library; made if it is missing.
        source: Folder (searched in depth), a text or CSV file that lists files, or one file.
        model: Folder of a run, a weights file, organisation/name on a hub, or small. Needed to begin a
            library; later the library knows it.
        root: Name for the folder; its own name unless given.
    """
    check_folder(library, option="LIBRARY")
    fill(
        library,
        source=source,
        model=model,
        words=words,
        root=root,
        compute=compute,
        work=work,
        retries=retry,
        max_failed_fraction=work.max_rejected_percent / 100,
        as_json=as_json,
    )

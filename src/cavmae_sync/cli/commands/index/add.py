"""`cavmae-sync index add`: put files into a library."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.choices import EncoderName
from cavmae_sync.cli.libraries import fill, fill_with_vectors
from cavmae_sync.cli.options import EncodeOptions, Json, Switch, Word, WorkOptions
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.errors import ConfigError


def add(
    library: Path,
    source: Path,
    /,
    *words: Word,
    model: Path | None = None,
    encoder: EncoderName | None = None,
    vectors: Path | None = None,
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

    Vectors of any other encoder are taken with --vectors: an .npz or Parquet file with `audio`, `visual` or
    both, [clips, moments, width] or [clips, width], the `source`, `start_seconds` and `stop_seconds` of each
    clip, and the `name` of the encoder.

    Example: cavmae-sync index add my-library my-videos --model small

    Example: cavmae-sync index add birds my-recordings --vectors birdnet.npz

    Args:
        library: Folder of the library; made if it is missing.
        source: Folder (searched in depth), a text or CSV file that lists files, or one file.
        model: Folder of a run, a weights file, organisation/name on a hub, or small. Needed to begin a
            library; later the library knows it.
        encoder: Kind of the model of a new library: cavmae-sync unless given, or pe-av, a folder of
            transformers' PE-AV (needs the extra pe-av).
        vectors: File of vectors that another encoder made of these files; nothing is encoded.
        root: Name for the folder; its own name unless given.
    """
    check_folder(library, option="LIBRARY")
    if vectors is not None:
        if model is not None or encoder is not None or words or work != WorkOptions():
            raise ConfigError(
                "--vectors are made already: leave out --model, --encoder, words, and options of the work."
            )
        fill_with_vectors(library, source=source, vectors=vectors, root=root, as_json=as_json)
        return
    fill(
        library,
        source=source,
        model=model,
        words=words,
        encoder=encoder,
        root=root,
        compute=compute,
        work=work,
        retries=retry,
        max_failed_fraction=work.max_rejected_percent / 100,
        as_json=as_json,
    )

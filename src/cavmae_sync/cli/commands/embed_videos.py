"""`cavmae-sync embed --videos`: vectors of many video files in a library, by one or many machines."""

from collections.abc import Sequence
from pathlib import Path

from cavmae_sync.cli.libraries import fill
from cavmae_sync.cli.options import EncodeOptions, WorkOptions
from cavmae_sync.cli.outputs import check_folder


def embed_videos(
    run_or_weights: Path,
    words: Sequence[str],
    videos: Path,
    *,
    out: Path,
    compute: EncodeOptions,
    work: WorkOptions,
    as_json: bool,
) -> None:
    """Embed video files, write the library and say what is in it; arguments are those of `embed`."""
    check_folder(out, option="--out")
    fill(
        out,
        source=videos,
        model=run_or_weights,
        words=words,
        compute=compute,
        work=work,
        max_failed_fraction=work.max_rejected_percent / 100,
        as_json=as_json,
    )

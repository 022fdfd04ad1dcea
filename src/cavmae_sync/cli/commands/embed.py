"""`cavmae-sync embed`: vectors of a dataset's clips, or of any number of video files, for other programs."""

from pathlib import Path

from cavmae_sync.cli.commands.embed_dataset import embed_dataset
from cavmae_sync.cli.commands.embed_videos import embed_videos
from cavmae_sync.cli.options import EncodeOptions, Json, NumClips, RunOrWeights, Word, WorkOptions
from cavmae_sync.errors import ConfigError


def embed(
    run_or_weights: RunOrWeights,
    /,
    *words: Word,
    data: Path | None = None,
    videos: Path | None = None,
    out: Path,
    num_clips: NumClips = None,
    compute: EncodeOptions = EncodeOptions(),
    work: WorkOptions = WorkOptions(),
    as_json: Json = False,
) -> None:
    """Write a unit vector for the sound and one for the picture of every frame of every clip.

    With --data, a prepared dataset, they go into one file. `evaluate retrieval --embeddings` measures the
    file as it measures the model.

    With --videos, any number of video and sound files of any length, they go into a library, as of `index
    add`: a folder that can grow and be searched. Stop it at any moment, even by kill -9, and run it again:
    what was encoded stays. --shard-index, --num-shards, --engine and --max-rejected-percent are for --videos.

    pandas, polars and DuckDB read the file, and what `index export` writes.

    Words for --videos, with their defaults:

    - `clips.clip_seconds=10`: length of a clip.
    - `clips.hop_seconds=none`: seconds from the start of a clip to the start of the next; none for clips that
      follow each other.
    - `clips.num_frames=16`: frames of a clip.
    - `clips.max_clips_per_file=none`: take only the first clips of each file.
    - `clips.store=float16`: numbers of a stored vector, float16 or float32.

    Example: cavmae-sync embed my-run --videos my-videos --out my-library

    Args:
        data: Prepared dataset.
        videos: Folder of videos (searched in depth), a text or CSV file that lists them, or one video.
        out: With --data the file to write: .npz, or .parquet for one row per clip. With --videos a folder.
    """
    if data is not None and videos is None:
        embed_dataset(
            run_or_weights,
            words,
            data,
            out=out,
            num_clips=num_clips,
            compute=compute,
            work=work,
            as_json=as_json,
        )
    elif videos is not None and data is None:
        if num_clips is not None:
            raise ConfigError("--num-clips goes with --data. With --videos write clips.max_clips_per_file=1.")
        embed_videos(run_or_weights, words, videos, out=out, compute=compute, work=work, as_json=as_json)
    else:
        raise ConfigError("Give either --data (a prepared dataset) or --videos (files), not both or none.")

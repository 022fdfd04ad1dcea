"""`cavmae-sync embed --data`: vectors of a prepared dataset's clips in one file."""

from collections.abc import Sequence
from pathlib import Path

from cavmae_sync.cli.models import open_clips, open_embedder
from cavmae_sync.cli.options import EncodeOptions, WorkOptions
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import print_json, print_line
from cavmae_sync.errors import ConfigError


def embed_dataset(
    run_or_weights: Path,
    words: Sequence[str],
    data: Path,
    *,
    out: Path,
    num_clips: int | None,
    compute: EncodeOptions,
    work: WorkOptions,
    as_json: bool,
) -> None:
    """Embed the clips of a dataset, write the file and say what is in it; arguments are those of `embed`."""
    from cavmae_sync.embedding import write_embeddings

    work.share()
    _refuse_options_for_videos(words, work)
    check_output(out, option="--out", suffix=(".npz", ".parquet"))
    embedder = open_embedder(run_or_weights, words, compute)
    clips = open_clips(data, num_clips=num_clips)
    with show_progress("embedding clips") as advance:
        found = embedder.embed_dataset(clips, num_workers=work.num_workers or 0, on_progress=advance)
    write_embeddings(found, out)
    num_found, num_frames, width = found.audio_NTD.shape
    if as_json:
        print_json(
            {
                "out": str(out),
                "num_clips": num_found,
                "num_frames": num_frames,
                "width": width,
                "broken_vectors": found.num_broken_rows,
                "weights": found.weights,
                "clip_list": found.clip_list,
            }
        )
        return
    broken = f" {found.num_broken_rows} vectors are not numbers." if found.num_broken_rows else ""
    print_line(f"{out}: {num_found} clips, {num_frames} frames each, vectors of {width} numbers.{broken}")


def _refuse_options_for_videos(words: Sequence[str], work: WorkOptions) -> None:
    odd = [word for word in words if word.startswith("clips.")]
    odd += [
        *(["--num-shards"] if work.num_shards > 1 else []),
        *(["--engine"] if work.engine != "local" else []),
    ]
    if odd:
        raise ConfigError(f"{odd[0]} goes with --videos: the clips of a dataset are cut already.")

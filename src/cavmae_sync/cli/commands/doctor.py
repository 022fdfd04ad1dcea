"""`cavmae-sync doctor`: are weights, preprocessing and data right, before the first number?"""

from pathlib import Path

from cavmae_sync.cli.options import Count, EncodeOptions, Json, ModelWord, Overwrite, RunOrWeights
from cavmae_sync.cli.outputs import check_new, check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines
from cavmae_sync.cli.words import model_words
from cavmae_sync.errors import CavMaeSyncError

_LOG_WIDTH = 500
#: Exit code when nothing failed, but checks of the given clips could not be made.
_NOT_FULLY_CHECKED = 3
_STYLES = {True: "bold green", False: "bold red", None: "bold yellow"}


def doctor(
    run_or_weights: RunOrWeights,
    /,
    *words: ModelWord,
    data: Path | None = None,
    embeddings: Path | None = None,
    write_clip: Path | None = None,
    num_clips: Count = 100,
    seed: int = 0,
    compute: EncodeOptions = EncodeOptions(),
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Check that weights, preprocessing and data are right. Exit code 1 when a check fails.

    One line for each check, then a verdict: HEALTHY, NOT HEALTHY, or NOT FULLY CHECKED where only clips could
    tell; with --data of fewer than 20 clips that is exit code 3. With --data, known faults (swapped colours,
    a wrong sample rate, twice the deviation, and more) are undone one at a time: where sound and picture then
    agree better, the fault is named. With --embeddings, vectors that another pipeline made of the package's
    clip are compared with ours, and with ours under each fault.

    Example: cavmae-sync doctor my-run --data my-dataset

    Args:
        data: Prepared dataset to examine too.
        embeddings: .npz or .parquet with `audio` and `visual` [1, 16, width] of the package's clip.
        write_clip: Write the package's clip to this .mp4 file, for another pipeline, and stop.
        num_clips: Number of clips of the dataset that are read.
        seed: Seed of the choice of these clips.
    """
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.doctor import ExamineOptions, examine, open_examined_model
    from cavmae_sync.embedding.vector_files import read_embeddings
    from cavmae_sync.exchange.proof import write_proof_clip

    check_output(write_clip, option="--write-clip", suffix=".mp4")
    check_new(write_clip, option="--write-clip", overwrite=overwrite)
    if write_clip is not None:
        write_proof_clip(write_clip)
        Terminal(stderr=True).print(f"wrote {write_clip}: 10 s, stereo at 44.1 kHz", soft_wrap=True)
        return 0
    options = ExamineOptions(
        clips=None if data is None else PreparedDataset.open(data),
        num_clips=num_clips,
        seed=seed,
        embeddings=None if embeddings is None else read_embeddings(embeddings),
    )
    try:
        examined = open_examined_model(run_or_weights, model_words(words), **compute.settings())
    except CavMaeSyncError as error:
        raise type(error)(f"NOT HEALTHY: the weights cannot be opened. {error}") from error
    with show_progress("examining") as advance:
        report = examine(examined, options, on_progress=advance)
    if as_json:
        print_lines(report.to_json())
    else:
        # In a log every check keeps to one line.
        console = Terminal() if Terminal().is_terminal else Terminal(width=_LOG_WIDTH)
        console.print(report.to_table())
        console.print(
            f"{report.verdict()} ({report.seconds:.0f} s)",
            style=_STYLES[report.is_healthy],
        )
    if report.is_healthy is False:
        return 1
    return _NOT_FULLY_CHECKED if report.unknown else 0

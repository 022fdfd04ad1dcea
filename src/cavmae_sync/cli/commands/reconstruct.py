"""`cavmae-sync reconstruct`: what a model fills in where a moment is hidden from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import ComputeOptions, Overwrite, ResultOptions, RunOrWeights, Video, Word
from cavmae_sync.cli.outputs import check_new, check_output
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure
from cavmae_sync.safe_text import table_caption

if TYPE_CHECKING:
    from cavmae_sync.tasks.reconstruction import VideoReconstruction


def reconstruct(
    run_or_weights: RunOrWeights,
    video: Video,
    /,
    *words: Word,
    at: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    normalized_pixels: Annotated[bool | None, Parameter(negative="--raw-pixels")] = None,
    sound: Path | None = None,
    overwrite: Overwrite = False,
    compute: ComputeOptions = ComputeOptions(),
    results: ResultOptions = ResultOptions(),
) -> None:
    """Hide most of a frame and of the sound around it, and show what the model fills in.

    The figure shows the original, what the encoder saw, the prediction, and the prediction in the gaps of the
    original. Errors are mean squared errors on hidden patches, beside those of two simple guesses.

    Words, with their defaults:

    - `mask_ratio=0.75`: share of the patches that is hidden.
    - `mode=unstructured`: shape of what is hidden of the sound: unstructured (single patches), time, freq, or
      tf for both.
    - `hide=both`: modality that has patches hidden (audio, visual or both); the other is seen whole.
    - `seed=2`: seed of the choice of patches.

    Example: cavmae-sync reconstruct my-run my-video.mp4 --at 3 --figure panel.png --sound inpainted.wav

    Args:
        at: Moment, in seconds from the start of the file; the middle unless given.
        normalized_pixels: Whether the model predicts patches that are standardised one by one. The folder of
            a run says it; a weights file does not.
        sound: WAV file for the sound with its gaps filled. NAME.original.wav beside it is the original, made
            from its spectrogram in the same way. Both are approximate: a spectrogram holds no phases.
    """
    from cavmae_sync.media.wav import write_wav
    from cavmae_sync.tasks.reconstruction import video_reconstruction as task
    from cavmae_sync.weights import weights_fingerprint

    results.check()
    check_output(sound, option="--sound", suffix=".wav", inputs=(video,))
    check_new(sound, option="--sound", overwrite=overwrite)
    hiding, for_model = configure(task.HidingConfig(), words)
    if normalized_pixels is None:
        normalized_pixels = task.trained_on_normalized_pixels(run_or_weights)
    embedder = open_embedder(run_or_weights, for_model, compute)
    found = task.reconstruct_video(
        embedder, video, normalize_pixels=normalized_pixels, at_seconds=at, hiding=hiding
    )
    results.save_figure(lambda: found.figure(title=f"{video.name} at {found.seconds:.2f} s"))
    if sound is not None:
        inpainted_S, original_S = found.waveforms(seed=hiding.seed)
        write_wav(sound, inpainted_S)
        write_wav(sound.with_suffix(".original.wav"), original_S)
    if results.as_json:
        print_json(
            {
                "video": str(video),
                "seconds": found.seconds,
                "normalized_pixels": found.normalize_pixels,
                **hiding.model_dump(),
                "weights": weights_fingerprint(embedder.model),
                "errors": {name: dict(errors) for name, errors in found.errors.items()},
                "sound_is_approximate": True,
            }
        )
    else:
        Terminal().print(_table(found, video.name))


def _table(found: "VideoReconstruction", name: str) -> Table:
    notes = (
        "Mean squared error on hidden patches, in the scale of the model's inputs.",
        "mean of seen: every hidden patch is the mean of what was seen. own mean: it is its own true mean"
        + (", which the prediction was told too." if found.normalize_pixels else "."),
    )
    table = Table(
        title=f"{name} at {found.seconds:.2f} s",
        caption=table_caption(notes),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("hidden of", "model", "mean of seen", "own mean"):
        table.add_column(heading, justify="left" if heading == "hidden of" else "right")
    for modality, errors in found.errors.items():
        table.add_row(modality, *([f"{error:.3f}" for error in errors.values()] or ["nothing hidden"]))
    return table

"""`cavmae-sync reconstruct`: what a model makes of the parts of a moment that are hidden from it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from cavmae_sync.choices import Precision
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import Json, Overwrite
from cavmae_sync.cli.outputs import check_new, check_output
from cavmae_sync.cli.terminal import Terminal, print_lines
from cavmae_sync.safe_text import table_caption

if TYPE_CHECKING:
    from cavmae_sync.tasks.reconstruction import VideoReconstruction

Ratio = Annotated[float, Parameter(validator=Number(gt=0, lt=1))]


def reconstruct(
    run_or_weights: Path,
    video: Path,
    /,
    *overrides: str,
    at: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    mask_ratio: Ratio = 0.75,
    mode: Literal["unstructured", "time", "freq", "tf"] = "unstructured",
    hide: Literal["audio", "visual", "both"] = "both",
    seed: int = 2,
    normalized_pixels: Annotated[bool | None, Parameter(negative="--raw-pixels")] = None,
    precision: Precision = "float32",
    device: str | None = None,
    figure: Path | None = None,
    sound: Path | None = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Hide most of a frame and of the sound around it, and see what the model fills in.

    The panel shows the original, what the encoder saw, the prediction, and the two put together. Errors are
    mean squared ones on hidden patches, beside those of two trivial guesses.

    Example: cavmae-sync reconstruct my-run my-video.mp4 --at 3 --figure panel.png --sound inpainted.wav

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        video: Video file with sound.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true`.
        at: When, in seconds from the start of the file; the middle unless given.
        mask_ratio: Share of the patches that is hidden.
        mode: What is hidden of the sound: single patches, whole times, whole frequencies, or both (`tf`).
        hide: Which modality has patches hidden; the other is seen whole.
        seed: Of the choice of patches.
        normalized_pixels: Whether the model predicts patches standardised one by one; a run says so itself.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        figure: PNG file for the panel.
        sound: WAV file for the sound with its gaps filled, and beside it, as NAME.original.wav, the original
            made from its spectrogram in the same way. Both are approximate: a spectrogram holds no phases.
        overwrite: Replace the sound at --sound.
        as_json: Print the errors as one JSON object.
    """
    from cavmae_sync.figures import save_figure
    from cavmae_sync.media.wav import write_wav
    from cavmae_sync.tasks.reconstruction import video_reconstruction as task
    from cavmae_sync.weights import weights_fingerprint

    check_output(figure, option="--figure", suffix=".png")
    check_output(sound, option="--sound", suffix=".wav", inputs=(video,))
    check_new(sound, option="--sound", overwrite=overwrite)
    if normalized_pixels is None:
        normalized_pixels = task.trained_on_normalized_pixels(run_or_weights)
    embedder = open_embedder(run_or_weights, overrides, device=device, precision=precision)
    found = task.reconstruct_video(
        embedder,
        video,
        normalize_pixels=normalized_pixels,
        at_seconds=at,
        hiding=task.HidingConfig(mask_ratio=mask_ratio, mode=mode, hide=hide, seed=seed),
    )
    if figure is not None:
        save_figure(found.figure(title=f"{video.name} at {found.seconds:.2f} s"), figure)
    if sound is not None:
        inpainted_S, original_S = found.waveforms(seed=seed)
        write_wav(sound, inpainted_S)
        write_wav(sound.with_suffix(".original.wav"), original_S)
    if as_json:
        content = {
            "video": str(video),
            "seconds": found.seconds,
            "normalized_pixels": found.normalize_pixels,
            "mask_ratio": mask_ratio,
            "mode": mode,
            "hide": hide,
            "seed": seed,
            "weights": weights_fingerprint(embedder.model),
            "errors": {name: dict(errors) for name, errors in found.errors.items()},
            "sound_is_approximate": True,
        }
        print_lines(json.dumps(content, indent=2, ensure_ascii=False))
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

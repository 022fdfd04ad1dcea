"""`cavmae-sync localize`: a video with a map over every picture of where its sound comes from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import Count, Json, Overwrite
from cavmae_sync.cli.outputs import check_folder, check_new, check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.tasks.localization.localize_video import Localization
    from cavmae_sync.tasks.localization.overlay import OverlayFrame


def localize(
    run_or_weights: Path,
    video: Path,
    /,
    *overrides: str,
    out: Path,
    sound: Path | None = None,
    figures: Path | None = None,
    num_figures: Count = 4,
    maps_per_second: Annotated[float, Parameter(validator=Number(gt=0))] = 1.6,
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Show where in a video the model sees what it hears.

    Writes the video again, of its size and rate and with its sound, with a heat map over every picture and a
    strip below: how well sound and picture match, over the whole video. Colours mean the same all through.
    The model sees the middle square only; what lies outside is grey.

    Example: cavmae-sync localize my-run street.mp4 --out overlay.mp4 --figures moments

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        video: Video file with sound, of any length.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true`.
        out: MP4 file to write.
        sound: Sound or video file of any length that asks instead of the video's own sound: the mean of its
            windows, but for those 20 dB quieter than the loudest.
        figures: Folder for figures of the strongest moments, made if it is not there.
        num_figures: How many of them.
        maps_per_second: How many maps are computed; between them they are interpolated.
        representation: What stands for sound and picture: global tokens, or means of patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        overwrite: Replace the video at --out.
        as_json: Print what was found as one JSON object.
    """
    from cavmae_sync.media.playback import playback
    from cavmae_sync.tasks.localization.localize_video import localize as maps_of
    from cavmae_sync.tasks.localization.overlay import write_overlay

    check_output(out, option="--out", suffix=".mp4", inputs=(sound,))
    if out.exists() and video.exists() and out.samefile(video):
        raise ConfigError(f"--out {out} is the video itself. Write to another file.")
    check_new(out, option="--out", overwrite=overwrite)
    check_folder(figures, option="--figures")
    embedder = open_embedder(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    plays = playback(video)
    with show_progress("listening and looking") as advance:
        found = maps_of(
            embedder,
            plays,
            sound=sound,
            maps_per_second=maps_per_second,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    moments = [] if figures is None else found.strongest(num_figures)
    with show_progress("writing pictures") as advance:
        kept = write_overlay(
            found, plays, out, keep=moments, on_progress=lambda done, total: advance(done, total, "")
        )
    saved = [] if figures is None else _save(found, kept, moments, figures)
    if as_json:
        whole = {"out": str(out), "pictures": saved, **found.to_dict()}
        print_lines(json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False))
    else:
        _print(found, out, saved)


def _save(found: "Localization", kept: "list[OverlayFrame]", moments: list[int], folder: Path) -> list[str]:
    from cavmae_sync.figures import save_figure
    from cavmae_sync.tasks.localization.figures import moment_figure

    folder.mkdir(parents=True, exist_ok=True)
    saved: list[str] = []
    for place, (moment, frame) in enumerate(zip(moments, kept, strict=True), start=1):
        path = folder / f"{place}-at-{found.seconds_M[moment]:.2f}s.png"
        save_figure(moment_figure(found, moment, frame), path)
        saved.append(str(path))
    return saved


def _print(found: "Localization", out: Path, saved: list[str]) -> None:
    console = Terminal()
    low, high = found.scale
    strength = found.strength_M[~found.is_silent_M]
    console.print(f"{out}: {len(found.seconds_M)} maps, asked by {found.asked_by}", soft_wrap=True)
    console.print(f"colours from cosine {low:.2f} (none) to {high:.2f} (yellow), the same all through")
    if len(strength):
        console.print(f"sound and picture match by {strength.min():.2f} to {strength.max():.2f}")
    if found.is_silent_M.any():
        console.print(f"{found.is_silent_M.sum()} moments are silent and ask for nothing")
    for path in saved:
        console.print(path, soft_wrap=True)

"""`cavmae-sync localize`: a video with a map over every picture of where its sound comes from."""

from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import (
    Count,
    EncodeOptions,
    Json,
    Overwrite,
    Positive,
    RunOrWeights,
    Switch,
    Video,
    Word,
)
from cavmae_sync.cli.outputs import check_folder, check_new, check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.maps import MapConfig
    from cavmae_sync.tasks.localization.localize_video import Localization
    from cavmae_sync.tasks.localization.overlay import OverlayFrame


def localize(
    run_or_weights: RunOrWeights,
    video: Video,
    /,
    *words: Word,
    out: Path,
    sound: Path | None = None,
    figures: Path | None = None,
    num_figures: Count = 4,
    maps_per_second: Positive = 1.6,
    others: Path | None = None,
    sound_parts: Switch = False,
    compute: EncodeOptions = EncodeOptions(),
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Show where in the picture a sound of a video comes from.

    Writes the video again, in its size and rate and with its sound, with a heat map over every frame and a
    strip below: how well sound and picture match, over the whole video. A colour means the same value in all
    frames. The model sees the middle square only; the rest is grey. `cavmae-sync evaluate localize` measures
    these maps.

    Words, with their defaults:

    - `map=cosine`: cosine of the sound with each patch (the paper); `denseav`: products of all patches;
      `masking`: what showing a patch adds to the cosine of sound and frame; `attention`: what attention adds
      to it from the patch.
    - `contrast=false`: true takes the mean sound of --others off.
    - `num_masks=36`, `mask_ratio=0.9`: by masking, masks of a frame, and the share of patches each hides.
    - `block_patches=none`: side of the blocks hidden together; none leaves at least six on a side.
    - `ridge=1`, `mask_seed=0`: penalty of the regression, and seed of the masks.

    Example: cavmae-sync localize my-run street.mp4 map=masking --out overlay.mp4 --figures moments

    Args:
        out: MP4 file to write.
        sound: Sound or video file of any length that asks instead of the video's own sound: the mean of its
            windows, without those 20 dB quieter than the loudest.
        figures: Folder for figures of the moments with the strongest maps; made if it is not there.
        num_figures: Number of these figures.
        maps_per_second: Maps computed in each second; frames between them are interpolated.
        others: Library of the same model, made by `cavmae-sync embed`: the other sounds of contrast=true.
        sound_parts: Also draw in the figures which part of the sound belongs to the frame: by hiding parts.
    """
    from cavmae_sync.maps import MapConfig
    from cavmae_sync.media.playback import playback
    from cavmae_sync.tasks.localization.localize_video import localize as maps_of
    from cavmae_sync.tasks.localization.overlay import write_overlay
    from cavmae_sync.tasks.localization.prompts import other_sounds

    check_output(out, option="--out", suffix=".mp4", inputs=(sound,))
    if out.exists() and video.exists() and out.samefile(video):
        raise ConfigError(f"--out {out} is the video itself. Write to another file.")
    check_new(out, option="--out", overwrite=overwrite)
    check_folder(figures, option="--figures")
    config, for_model = configure(MapConfig(), words)
    _check_others(config, others)
    _check_sound_parts(asked=sound_parts, sound=sound, is_shown=figures is not None or as_json)
    embedder = open_embedder(run_or_weights, for_model, compute)
    plays = playback(video)
    with show_progress("computing maps") as advance:
        found = maps_of(
            embedder,
            plays,
            sound=sound,
            maps_per_second=maps_per_second,
            config=config,
            others_D=None if others is None else other_sounds(embedder, others),
            sound_parts=sound_parts,
            on_progress=advance,
        )
    moments = [] if figures is None else found.strongest(num_figures)
    with show_progress("writing frames") as advance:
        kept = write_overlay(found, plays, out, keep=moments, on_progress=advance)
    saved: list[str] = [] if figures is None else _save(found, kept, moments, figures)
    if as_json:
        print_json({"out": str(out), "pictures": saved, **found.to_dict()})
    else:
        _print(found, out, saved)


def _check_others(config: "MapConfig", others: Path | None) -> None:
    if config.contrast != (others is not None) or (config.contrast and config.map == "denseav"):
        raise ConfigError(
            "contrast=true and --others LIBRARY go together, by any map but denseav: the library holds "
            "the other sounds whose mean is taken off. Make one with cavmae-sync embed."
        )


def _check_sound_parts(*, asked: bool, sound: Path | None, is_shown: bool) -> None:
    if asked and sound is not None:
        raise ConfigError("--sound-parts shows parts of the video's own sound. Leave out --sound.")
    if asked and not is_shown:
        raise ConfigError("--sound-parts is drawn in figures. Add --figures FOLDER, or --json.")


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
    console.print(f"{out}: {len(found.seconds_M)} maps of {found.asked_by}", soft_wrap=True)
    console.print(f"colours from {low:.3g} (none) to {high:.3g} (yellow), the same in all frames:")
    console.print(found.made_by.unit_text)
    if len(strength):
        console.print(f"match of sound and picture: {strength.min():.2f} to {strength.max():.2f}")
    if found.is_silent_M.any():
        console.print(f"{found.is_silent_M.sum()} moments are silent and have no map")
    for path in saved:
        console.print(path, soft_wrap=True)

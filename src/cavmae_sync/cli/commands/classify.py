"""`cavmae-sync classify`: which classes a trained probe hears and sees in a video, and when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import ComputeOptions, Count, Positive, Switch, Video, VideoResultOptions, Word
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.tasks.classification.video_classes import VideoClasses

_Fraction = Annotated[float, Parameter(validator=Number(gt=0, lt=1))]


def classify(
    video: Video,
    /,
    *words: Word,
    probe: Path,
    model: Path | None = None,
    top: Count = 5,
    window_seconds: Positive = 2.0,
    threshold: _Fraction = 0.3,
    maps: Switch = False,
    compute: ComputeOptions = ComputeOptions(),
    results: VideoResultOptions = VideoResultOptions(),
) -> None:
    """Name what is heard and seen in a video file of any length, with times.

    Prints the classes with the highest probability in the whole file and in each ten seconds (probes are
    trained on ten seconds), and the times at which a class is present. The ten seconds say which class it is,
    a short window that slides over them says when. The figure shows the classes over time; the CSV file has
    the probabilities of all classes. `cavmae-sync probe` trains and measures what this command shows.

    Words, for the maps of the figure, with their defaults:

    - `map=masking`: what showing a patch adds to the cosine of sound and frame; `cosine`: cosine of the sound
      with each patch; `denseav`: products of all patches; `attention`: what attention adds to the cosine of
      sound and frame from the patch.
    - `contrast=false`: true is not possible here, because it needs other sounds.
    - `num_masks=36`, `mask_ratio=0.9`: by masking, masks of a frame, and the share of patches each hides.
    - `block_patches=none`: side of the blocks hidden together; none leaves at least six on a side.
    - `ridge=1`, `mask_seed=0`: penalty of the regression, and seed of the masks.

    Example: cavmae-sync classify party.mp4 --probe my-probe --figure classes.png

    Args:
        probe: Folder that `cavmae-sync probe` made, or its probe.safetensors.
        model: Run or weights that the probe was trained on, if they have moved since.
        top: Number of classes to print, those with the highest probability.
        window_seconds: Length of the window. A short one is finer in time and less sure: the probe was
            trained on all frames of ten seconds.
        threshold: Least probability of a class that counts as present. For a probe with exactly one class per
            clip, the class with the highest probability is present instead.
        maps: Also show in the figure where in its frames the sound is.
    """
    from cavmae_sync.maps import MapConfig
    from cavmae_sync.tasks.classification.classify_video import classify_video
    from cavmae_sync.tasks.classification.figures import classes_over_time_figure
    from cavmae_sync.tasks.classification.probe import Probe

    results.check()
    config, for_model = configure(MapConfig(map="masking"), words)
    if config.contrast:
        raise ConfigError("contrast=true needs other sounds: use cavmae-sync localize with --others LIBRARY.")
    opened = Probe.load(probe)
    embedder = open_embedder(_backbone(probe, opened.model_path, model), for_model, compute)
    opened.head.to(embedder.device)
    with show_progress("seconds of video") as advance:
        found = classify_video(
            embedder,
            opened,
            video,
            window_seconds=window_seconds,
            maps=config if maps and results.figure is not None else None,
            on_progress=advance,
        )
    results.save_figure(lambda: classes_over_time_figure(found))
    results.save_csv(found.to_csv)
    if results.as_json:
        print_json({"video": str(video), "probe": str(probe), **found.to_dict(threshold=threshold)})
    else:
        _print(found, video=video, top=top, threshold=threshold)


def _backbone(probe: Path, recorded: str | None, given: Path | None) -> Path:
    """The model: the one given, else the fine-tuned one beside the probe, else where the probe says."""
    if given is not None:
        return given
    beside = (probe if probe.is_dir() else probe.parent) / "weights.safetensors"
    if beside.is_file():
        return beside
    from cavmae_sync.weights.hub import BUNDLED_NAME

    if recorded is None or not (recorded == BUNDLED_NAME or Path(recorded).exists()):
        where = "does not say where its model is" if recorded is None else f"names {recorded}, which is gone"
        raise ConfigError(f"The probe {where}. Give the run or weights it was trained on with --model.")
    return Path(recorded)


def _print(found: "VideoClasses", *, video: Path, top: int, threshold: float) -> None:
    from cavmae_sync.media.clock import clock

    console = Terminal()
    start, stop = found.clips.start_seconds_N[0], found.clips.stop_seconds_N[-1]
    console.print(
        f"{video.name}, {clock(start, with_tenths=True)} to {clock(stop, with_tenths=True)}",
        highlight=False,
    )
    console.print(_whole_table(found, top=top))
    if len(found.clips.start_seconds_N) > 1:
        console.print(_clip_table(found, top=top))
    console.print(_span_table(found, threshold=threshold))


def _whole_table(found: "VideoClasses", *, top: int) -> Table:
    table = Table(title="surest classes", title_justify="left")
    table.add_column("class")
    table.add_column("probability", justify="right")
    for name, probability in found.top(top):
        table.add_row(name, f"{probability * 100:.1f} %")
    return table


def _clip_table(found: "VideoClasses", *, top: int) -> Table:
    from cavmae_sync.media.clock import clock

    table = Table(title="clip by clip", title_justify="left")
    table.add_column("from", justify="right")
    table.add_column("to", justify="right")
    table.add_column("surest classes")
    times = zip(found.clips.start_seconds_N, found.clips.stop_seconds_N, strict=True)
    for n, (start, stop) in enumerate(times):
        names = ", ".join(f"{name} {value * 100:.0f} %" for name, value in found.top_of_clip(n, top))
        table.add_row(clock(start, with_tenths=True), clock(stop, with_tenths=True), names)
    return table


def _span_table(found: "VideoClasses", *, threshold: float) -> Table:
    from cavmae_sync.media.clock import clock

    rule = f"at least {threshold * 100:g} %" if found.loss == "bce" else "surest"
    spans = found.spans(threshold=threshold)
    table = Table(
        title=f"when, {rule}",
        title_justify="left",
        caption=f"window of {found.window_seconds:g} s" if spans else "no class, at no time",
        caption_justify="left",
    )
    for heading in ("from", "to", "class", "mean", "highest"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for span in spans:
        table.add_row(
            clock(span.start_seconds, with_tenths=True),
            clock(span.stop_seconds, with_tenths=True),
            span.name,
            f"{span.mean_probability * 100:.0f} %",
            f"{span.peak_probability * 100:.0f} %",
        )
    return table

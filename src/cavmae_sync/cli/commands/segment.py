"""`cavmae-sync segment`: when does what is heard, or seen, in a video change?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import Modalities, Precision, Representation
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines

if TYPE_CHECKING:
    from cavmae_sync.embedding import EmbeddedClip, Embedder
    from cavmae_sync.tasks.temporal import SegmentingConfig, VideoStates


#: So many segments are too many to read.
_MANY: Final = 60


def segment(
    run_or_weights: Path,
    video: Path,
    /,
    *overrides: str,
    modality: Literal[Modalities, "all"] = "all",
    scope: Literal["file", "clip"] = "file",
    max_states: Annotated[int, Parameter(validator=Number(gte=2))] = 5,
    least_distance: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.1,
    min_seconds: Annotated[float, Parameter(validator=Number(gte=0))] = 0.0,
    num_frames: Count = 16,
    seed: int = 0,
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    truth: Path | None = None,
    csv: Path | None = None,
    figure: Path | None = None,
    as_json: Json = False,
) -> None:
    """Divide a video into stretches in which the same is heard, or seen.

    Frames are put into groups by what the model makes of them, and runs of one group are segments. A letter
    is a state and comes back with it; letters of different modalities have nothing to do with each other. The
    published rule always finds at least two states. Here, frames that hardly differ are one, so that a shot
    in which nothing happens is one segment; and it is said when no border is sharper than steady noise or a
    slow drift would give.

    Example: cavmae-sync segment my-run my-video.mp4 --figure bars.png --csv segments.csv

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        video: Video file with sound, of any length.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true`.
        modality: Divide by sound, by picture, or by both at once; `all` does all three.
        scope: Compare all frames of the `file`, or, as published, only those of each `clip` of 10 s.
        max_states: Most states, of the file or of each clip, at least 2.
        least_distance: Frames nearer than this cosine distance are one state; 0 is the published rule alone.
        min_seconds: Give shorter segments to their neighbours; 2 to 10 make long videos readable.
        num_frames: Frames looked at in each clip of 10 s.
        seed: Of k-means, which takes over where the published rule finds no threshold.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        truth: CSV file with the columns start, stop and label, to be drawn below the bars.
        csv: CSV file with one row for each segment.
        figure: PNG file: frames, one bar for each modality, and the spectrogram.
        as_json: Print everything as one JSON object.
    """
    from cavmae_sync.atomic import write_text
    from cavmae_sync.figures import save_figure
    from cavmae_sync.media import probe
    from cavmae_sync.tasks.temporal import SegmentingConfig
    from cavmae_sync.tasks.temporal.figure import video_states_figure
    from cavmae_sync.tasks.temporal.text import states_csv, states_dict
    from cavmae_sync.tasks.temporal.truth_file import read_truth
    from cavmae_sync.weights import weights_fingerprint

    check_output(csv, option="--csv", suffix=".csv", inputs=(truth,))
    check_output(figure, option="--figure", suffix=".png")
    known = None if truth is None else read_truth(truth)
    total_seconds = round(probe(video).duration_seconds or 0)
    embedder = open_embedder(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    config = SegmentingConfig(
        modalities=get_args(Modalities) if modality == "all" else (modality,),
        scope=scope,
        max_states=max_states,
        least_distance=least_distance,
        min_seconds=min_seconds,
        num_frames=num_frames,
        seed=seed,
    )
    found = _divide(embedder, video, config, total_seconds=total_seconds)
    if csv is not None:
        write_text(csv, states_csv(found))
    if figure is not None:
        save_figure(video_states_figure(found, name=video.name, truth=known), figure)
    if as_json:
        made_with = {"video": str(video), "weights": weights_fingerprint(embedder.model)}
        print_lines(json.dumps(made_with | states_dict(found, config=config), indent=2, ensure_ascii=False))
    else:
        _print(found, config, title=video.name)


def _divide(
    embedder: "Embedder", video: Path, config: "SegmentingConfig", *, total_seconds: int
) -> "VideoStates":
    from cavmae_sync.tasks.temporal import segment_video

    with show_progress("seconds of video") as advance:

        def on_clip(clip: "EmbeddedClip") -> None:
            done = round(clip.clip.start_seconds + clip.clip.duration_seconds)
            advance(done, max(total_seconds, done), "")

        return segment_video(embedder, video, config=config, on_clip=on_clip)


def _print(found: "VideoStates", config: "SegmentingConfig", *, title: str) -> None:
    from cavmae_sync.tasks.temporal.text import states_notes, states_table

    console = Terminal(highlight=False)
    console.print(states_table(found, title=title))
    for note in states_notes(found, config=config):
        console.print(note, soft_wrap=True)
    if config.min_seconds == 0 and max(len(states.spans) for states in found.states.values()) > _MANY:
        Terminal(stderr=True).print("Many short segments: --min-seconds 2 joins them.", highlight=False)

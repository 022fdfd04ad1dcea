"""`cavmae-sync agreement`: where in a video do sound and picture belong together?"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines

if TYPE_CHECKING:
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks.agreement.figure import Storyboard
    from cavmae_sync.tasks.agreement.moments import EmbeddedMoments, MomentInputs
    from cavmae_sync.tasks.agreement.reference import Reference, ReferenceClips
    from cavmae_sync.tasks.agreement.result import Agreement

PositiveFloat = Annotated[float, Parameter(validator=Number(gt=0))]


def agreement(
    run_or_weights: Path,
    video: Path,
    /,
    *overrides: str,
    reference: Path | None = None,
    reference_clips: Count = 200,
    frames_per_second: PositiveFloat = 2.0,
    smooth_seconds: PositiveFloat = 5.0,
    min_span_seconds: PositiveFloat = 4.0,
    silent_below_dbfs: float = -60.0,
    error_rate: PositiveFloat = 0.05,
    max_lag_seconds: PositiveFloat = 5.0,
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    csv: Path | None = None,
    figure: Path | None = None,
    as_json: Json = False,
) -> None:
    """Say where in a video sound and picture belong together, where not, and whether the sound is late.

    Every moment is compared with what chance gives: with the same picture and sounds of other moments of the
    video, or with `--reference` sounds of other videos. Only a reference can show sound that is foreign from
    beginning to end, and judge a video of less than about 20 s. Silence is called silence, and where nothing
    can be told, that is said.

    Example: cavmae-sync agreement my-run my-video.mp4 --figure agreement.png --csv agreement.csv

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        video: Video file with sound, of any length.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true`.
        reference: Prepared dataset of videos like this one, in which sound and picture belong together.
        reference_clips: Take the first clips of it only.
        frames_per_second: Moments looked at in each second.
        smooth_seconds: Length of the running mean.
        min_span_seconds: Shorter spans are not reported as foreign.
        silent_below_dbfs: Quieter sound is silence, in decibels of full scale.
        error_rate: Share of moments that fit that may be called low, and of foreign ones called above chance.
        max_lag_seconds: Largest offset that is looked for.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        csv: CSV file with one row for each second.
        figure: PNG file: curve, chance, states, frames, sound and lags.
        as_json: Print everything as one JSON object.
    """
    from cavmae_sync.figures import save_figure
    from cavmae_sync.tasks.agreement.config import AgreementConfig
    from cavmae_sync.tasks.agreement.figure import Storyboard, agreement_figure
    from cavmae_sync.tasks.agreement.judge import judge_agreement

    check_output(csv, option="--csv", suffix=".csv")
    check_output(figure, option="--figure", suffix=".png")
    config = AgreementConfig(
        smooth_seconds=smooth_seconds,
        min_span_seconds=min_span_seconds,
        silent_below_dbfs=silent_below_dbfs,
        error_rate=error_rate,
        max_lag_seconds=max_lag_seconds,
    )
    chosen = _choose_reference(reference, reference_clips, video)
    embedder = open_embedder(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    storyboard = Storyboard()
    moments = _embed(embedder, video, frames_per_second, storyboard)
    known = None if chosen is None else _embed_reference(embedder, chosen)
    result = judge_agreement(moments, reference=known, config=config)
    if figure is not None:
        save_figure(agreement_figure(result, storyboard=storyboard, title=video.name), figure)
    made_with = {
        "video": str(video),
        "reference": None
        if known is None
        else {"folder": known.name, "clip_list": known.clip_list, "clips_left_out": known.num_left_out},
        "frames_per_second": frames_per_second,
        "config": config.model_dump(mode="json"),
    }
    _write(result, embedder, made_with, csv=csv, as_json=as_json)


def _embed(
    embedder: "Embedder", video: Path, frames_per_second: float, storyboard: "Storyboard"
) -> "EmbeddedMoments":
    from cavmae_sync.media import probe
    from cavmae_sync.tasks.agreement.moments import embed_moments

    total = round(probe(video).duration_seconds or 0)
    with show_progress("seconds of video") as advance:

        def on_moments(moments: "MomentInputs") -> None:
            storyboard.add(moments)
            done = round(float(moments.seconds_T[-1]))
            advance(done, max(total, done), "")

        return embed_moments(embedder, video, frames_per_second=frames_per_second, on_moments=on_moments)


def _write(
    result: "Agreement",
    embedder: "Embedder",
    made_with: Mapping[str, object],
    *,
    csv: Path | None,
    as_json: bool,
) -> None:
    from cavmae_sync.atomic import write_text
    from cavmae_sync.tasks.agreement.text import to_csv, to_dict
    from cavmae_sync.weights import weights_fingerprint

    if csv is not None:
        write_text(csv, to_csv(result))
    if not as_json:
        _print(result)
        return
    everything = {**to_dict(result), **made_with, "weights": weights_fingerprint(embedder.model)}
    print_lines(json.dumps(everything, indent=2, allow_nan=False, ensure_ascii=False))


def _choose_reference(folder: Path | None, num_clips: int, video: Path) -> "ReferenceClips | None":
    """Before any work is done: a reference that is too small is refused at once."""
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.tasks.agreement.reference import choose_reference

    if folder is None:
        return None
    chosen = choose_reference(PreparedDataset.open(folder).head(num_clips), video=video)
    if chosen.num_left_out:
        Terminal(stderr=True).print(
            f"{chosen.num_left_out} clips of the reference were cut from this very video and are left out.",
            soft_wrap=True,
        )
    return chosen


def _embed_reference(embedder: "Embedder", chosen: "ReferenceClips") -> "Reference":
    from cavmae_sync.tasks.agreement.reference import embed_reference

    with show_progress("embedding the reference") as advance:
        return embed_reference(embedder, chosen, on_progress=lambda done, total: advance(done, total, ""))


def _print(result: "Agreement") -> None:
    from cavmae_sync.media.clock import clock
    from cavmae_sync.tasks.agreement.text import verdict

    console = Terminal()
    console.print(verdict(result), highlight=False)
    origin = "sounds of this video at other moments"
    if result.chance_from == "reference":
        origin = "sounds of the reference"
    table = Table(caption=f"above chance: share of {origin} that agree less", caption_justify="left")
    for heading in ("from", "to", "state", "agreement", "above chance"):
        table.add_column(heading, justify="left" if heading == "state" else "right")
    for span in result.spans:
        table.add_row(
            clock(span.start_seconds),
            clock(span.stop_seconds),
            span.state,
            "" if span.agreement is None else f"{span.agreement:.3f}",
            "" if span.percentile is None else f"{span.percentile:.0%}",
        )
    console.print(table)

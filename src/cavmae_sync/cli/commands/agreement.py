"""`cavmae-sync agreement`: where in a video do sound and picture belong together?"""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from cavmae_sync.cli.models import note_shared_clips, open_embedder
from cavmae_sync.cli.options import (
    Count,
    EncodeOptions,
    Positive,
    RunOrWeights,
    Video,
    VideoResultOptions,
    Word,
)
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure

if TYPE_CHECKING:
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks.agreement.figure import Storyboard
    from cavmae_sync.tasks.agreement.moments import EmbeddedMoments, MomentInputs
    from cavmae_sync.tasks.agreement.reference import Reference, ReferenceClips
    from cavmae_sync.tasks.agreement.result import Agreement


def agreement(
    run_or_weights: RunOrWeights,
    video: Video,
    /,
    *words: Word,
    reference: Path | None = None,
    reference_clips: Count = 200,
    frames_per_second: Positive = 2.0,
    compute: EncodeOptions = EncodeOptions(),
    results: VideoResultOptions = VideoResultOptions(),
) -> None:
    """Say where in a video sound and picture belong together, where not, and whether the sound is late.

    Every moment is compared with chance: with the same picture and sounds of other moments of the video, or,
    with `--reference`, sounds of other videos. Only a reference can show sound that is foreign from beginning
    to end, and judge a video of less than about 20 s. Silence is reported as silence, and moments that cannot
    be judged as such. The figure shows agreement, chance, states, frames, sound and lags; the CSV file has
    one row for each second. `cavmae-sync evaluate agreement` measures how well this works.

    Words, with their defaults:

    - `smooth_seconds=5`: length of the running mean over moments.
    - `min_span_seconds=4`: shorter spans are not reported as foreign.
    - `silent_below_dbfs=-60`: quieter sound is silence, in decibels of full scale.
    - `error_rate=0.05`: share of moments that fit that may be called low, and of foreign ones that may be
      called above chance.
    - `max_lag_seconds=5`: largest offset that is looked for.

    Example: cavmae-sync agreement my-run my-video.mp4 --figure agreement.png --csv agreement.csv

    Args:
        reference: Prepared dataset of videos like this one, in which sound and picture belong together.
        reference_clips: Take only the first clips of the reference.
        frames_per_second: Moments judged in each second.
    """
    from cavmae_sync.tasks.agreement.config import AgreementConfig
    from cavmae_sync.tasks.agreement.figure import Storyboard, agreement_figure
    from cavmae_sync.tasks.agreement.judge import judge_agreement
    from cavmae_sync.tasks.agreement.text import to_csv, to_dict
    from cavmae_sync.weights import weights_fingerprint

    results.check()
    config, for_model = configure(AgreementConfig(), words)
    chosen = _choose_reference(reference, reference_clips, video)
    if chosen is not None:
        note_shared_clips(run_or_weights, chosen.clips, so="New sounds that belong look low beside them.")
    embedder = open_embedder(run_or_weights, for_model, compute)
    storyboard = Storyboard()
    moments = _embed(embedder, video, frames_per_second, storyboard)
    foreign = None if chosen is None else _embed_reference(embedder, chosen)
    result = judge_agreement(moments, reference=foreign, config=config)
    results.save_figure(lambda: agreement_figure(result, storyboard=storyboard, title=video.name))
    results.save_csv(lambda: to_csv(result))
    if results.as_json:
        print_json(
            {
                **to_dict(result),
                "video": str(video),
                "reference": None if foreign is None else _describe_reference(foreign),
                "frames_per_second": frames_per_second,
                "config": config.model_dump(mode="json"),
                "weights": weights_fingerprint(embedder.model),
            }
        )
    else:
        _print(result)


def _describe_reference(reference: "Reference") -> dict[str, object]:
    return {
        "folder": reference.name,
        "clip_list": reference.clip_list,
        "clips_left_out": reference.num_left_out,
    }


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
            advance(done, max(total, done))

        return embed_moments(embedder, video, frames_per_second=frames_per_second, on_moments=on_moments)


def _choose_reference(folder: Path | None, num_clips: int, video: Path) -> "ReferenceClips | None":
    """Choose the clips before any work is done: a reference that is too small is refused at once."""
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
        return embed_reference(embedder, chosen, on_progress=advance)


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

"""`cavmae-sync evaluate segment`: how well does a model tell when something in a clip changes?"""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from cavmae_sync.choices import Modalities
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import EncodeOptions, NumClips, ResultOptions, RunOrWeights, Stage, Switch, Word
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure

if TYPE_CHECKING:
    from cavmae_sync.tasks.temporal.evaluate import TemporalReport


def segment(
    run_or_weights: RunOrWeights,
    /,
    *words: Word,
    data: Path,
    stage: Stage,
    num_clips: NumClips = None,
    all_modalities: Switch = False,
    with_controls: Switch = False,
    compute: EncodeOptions = EncodeOptions(),
    results: ResultOptions = ResultOptions(),
) -> None:
    """Measure temporal segmentation on clips of a stage: when does what is heard, or seen, change?

    The vectors of a clip's frames are clustered, runs of one label are spans, and their borders are compared
    with the truth. A state is the set of objects that sound (audio), that are visible (visual), or both
    together. `modality=visual truth=audio` asks whether what is seen tells when something sounds. The figure
    shows the bars of one clip, the one in the middle by agreement with the truth. `cavmae-sync segment` shows
    the spans of any video.

    Words, with their defaults:

    - `modality=both`: vectors that are clustered: audio, visual or both.
    - `truth=none`: changes that should be found: audio, visual or both; none for those of the modality.
    - `max_states=5`: most states of a clip; at least 2.
    - `num_bootstrap=1000`: resamples behind the 95 % intervals; 0 gives none.
    - `seed=0`: seed of k-means and of the resamples.

    Example: cavmae-sync evaluate segment my-run --data my-dataset --stage my-stage --with-controls

    Args:
        data: Prepared dataset, made from the stage.
        all_modalities: Measure with each of the three modalities.
        with_controls: Also measure an untrained model, the truth itself, the truth at the frames, changes of
            loudness, spans of equal length, and one single span.
    """
    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.temporal.config import TemporalTask
    from cavmae_sync.tasks.temporal.evaluate import measure_temporal
    from cavmae_sync.tasks.temporal.figure import temporal_report_figure

    results.check()
    task, for_model = configure(TemporalTask(), words)
    modalities: tuple[Modalities, ...] = get_args(Modalities) if all_modalities else (task.modality,)
    clips = open_clips(data, num_clips=num_clips)
    embedder = open_for_score(run_or_weights, for_model, compute, clips=clips)
    with show_progress("embedding clips") as advance:
        reports = measure_temporal(
            embedder,
            clips,
            StageTruth(stage),
            tasks=[task.model_copy(update={"modality": modality}) for modality in modalities],
            with_controls=with_controls,
            on_progress=advance,
        )
    results.save_figure(lambda: temporal_report_figure(clips, [by_name["model"] for by_name in reports]))
    _print(dict(zip(modalities, reports, strict=True)), as_json=results.as_json)


def _print(reports: "dict[Modalities, dict[str, TemporalReport]]", *, as_json: bool) -> None:
    """Print one object by modality and by what made the prediction, or a table for each."""
    if as_json:
        print_json(
            {
                modality: {name: report.to_dict() for name, report in by_name.items()}
                for modality, by_name in reports.items()
            }
        )
        return
    for by_name in reports.values():
        for report in by_name.values():
            Terminal().print(report.to_table())

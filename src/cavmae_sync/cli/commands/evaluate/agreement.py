"""`cavmae-sync evaluate agreement`: are planted faults found, and is nothing found where there is none?"""

from pathlib import Path

from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import EncodeOptions, NumClips, ResultOptions, RunOrWeights, Switch, Word
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure


def agreement(
    run_or_weights: RunOrWeights,
    /,
    *words: Word,
    data: Path,
    stage: Path | None = None,
    num_clips: NumClips = None,
    with_controls: Switch = False,
    compute: EncodeOptions = EncodeOptions(),
    results: ResultOptions = ResultOptions(),
) -> None:
    """Measure how well `cavmae-sync agreement` finds foreign sound, silence and shifts.

    Clips are joined to long videos. Each is judged without a fault, with foreign sound or silence in a span,
    with sound up to 2 s early or late, and with foreign sound throughout: once with the other clips as
    reference, once by itself. The figure shows scores, offsets, and the states found in videos with a planted
    span.

    Words, with their defaults:

    - `num_videos=30`: rows of clips; each is judged with every fault.
    - `clips_per_video=6`: clips of a row.
    - `num_bootstrap=500`: resamples behind the 95 % intervals; 0 gives none.
    - `seed=0`: seed of the choice of clips and faults, and of the untrained model.

    Example: cavmae-sync evaluate agreement my-run --data my-dataset --stage my-stage --with-controls

    Args:
        data: Prepared dataset of clips in which sound and picture belong together.
        stage: Folder of the generated stage that the dataset was made from; for the oracle.
        with_controls: Also measure an untrained model and, with `--stage`, the truth itself.
    """
    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.agreement import PlantedConfig, evaluate_agreement
    from cavmae_sync.tasks.agreement.planted_figure import planted_figure

    results.check()
    planted, for_model = configure(PlantedConfig(), words)
    clips = open_clips(data, num_clips=num_clips)
    embedder = open_for_score(run_or_weights, for_model, compute, clips=clips)
    with show_progress("clips and videos") as advance:
        reports = evaluate_agreement(
            embedder,
            clips,
            planted=planted,
            stage=None if stage is None else StageTruth(stage),
            with_controls=with_controls,
            on_progress=advance,
        )
    results.save_figure(lambda: planted_figure(reports))
    if results.as_json:
        print_json({name: report.to_dict() for name, report in reports.items()})
        return
    for report in reports.values():
        Terminal().print(report.to_table())

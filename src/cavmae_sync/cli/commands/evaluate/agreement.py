"""`cavmae-sync evaluate agreement`: are planted faults found, and is nothing found where there is none?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines

if TYPE_CHECKING:
    from cavmae_sync.tasks.agreement.evaluate import AgreementReport


def agreement(
    run_or_weights: Path,
    /,
    *overrides: str,
    data: Path,
    stage: Path | None = None,
    with_controls: Annotated[bool, Parameter(negative="")] = False,
    num_videos: Count = 30,
    clips_per_video: Count = 6,
    num_clips: Count | None = None,
    seed: int = 0,
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    figure: Path | None = None,
    as_json: Json = False,
) -> None:
    """Measure how well `cavmae-sync agreement` finds foreign sound, silence and shifts.

    Clips are joined to long videos, and each is judged without a fault, with foreign sound or silence in a
    span, with sound up to 2 s early or late, and with foreign sound throughout: once with the other clips as
    reference, once by itself.

    Example: cavmae-sync evaluate agreement my-run --data my-dataset --stage my-stage --with-controls

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, for example `inputs.align_length=valid`.
        data: Prepared dataset of clips in which sound and picture belong together.
        stage: Folder of the stage that the dataset was made from; for the oracle.
        with_controls: Also measure an untrained model and, with `--stage`, the truth itself.
        num_videos: Rows of clips, each judged with every fault.
        clips_per_video: Clips of a row.
        num_clips: Take the first clips only.
        seed: Of the plan.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        figure: PNG file: scores, offsets, and what was said of videos with a planted span.
        as_json: Print the reports as one JSON object.
    """
    from cavmae_sync.figures import save_figure
    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.agreement import PlantedConfig, evaluate_agreement
    from cavmae_sync.tasks.agreement.planted_figure import planted_figure

    check_output(figure, option="--figure", suffix=".png")
    clips = open_clips(data, num_clips=num_clips)
    embedder = open_for_score(
        run_or_weights,
        overrides,
        clips=clips,
        device=device,
        precision=precision,
        representation=representation,
    )
    with show_progress("clips and videos") as advance:
        reports = evaluate_agreement(
            embedder,
            clips,
            stage=None if stage is None else StageTruth(stage),
            with_controls=with_controls,
            planted=PlantedConfig(num_videos=num_videos, clips_per_video=clips_per_video, seed=seed),
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if figure is not None:
        save_figure(planted_figure(reports), figure)
    _print(reports, as_json=as_json)


def _print(reports: "dict[str, AgreementReport]", *, as_json: bool) -> None:
    if as_json:
        content = {name: report.to_dict() for name, report in reports.items()}
        print_lines(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for report in reports.values():
        Terminal().print(report.to_table())

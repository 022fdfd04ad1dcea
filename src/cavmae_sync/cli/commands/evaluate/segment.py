"""`cavmae-sync evaluate segment`: how well a model tells when something in a clip changes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import Modalities, Precision, Representation
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines

if TYPE_CHECKING:
    from cavmae_sync.tasks.temporal.evaluate import TemporalReport


def segment(
    run_or_weights: Path,
    /,
    *overrides: str,
    data: Path,
    stage: Path,
    modality: Literal[Modalities, "all"] = "both",
    truth: Modalities | None = None,
    max_states: Annotated[int, Parameter(validator=Number(gte=2))] = 5,
    with_controls: Annotated[bool, Parameter(negative="")] = False,
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    num_clips: Count | None = None,
    seed: int = 0,
    figure: Path | None = None,
    as_json: Json = False,
) -> None:
    """Measure temporal segmentation on clips of a stage: when does what is heard, or seen, change?

    The vectors of a clip's frames are clustered, runs of one label are segments, and their borders are
    compared with the truth. A state is the set of objects that sound (audio), that are visible (visual), or
    both together. `--modality visual --truth audio` asks whether what is seen tells when something sounds.

    Example: cavmae-sync evaluate segment my-run --data my-dataset --stage my-stage --with-controls

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, for example `inputs.align_length=valid`.
        data: Prepared dataset, made from the stage.
        stage: Folder of the stage, with its truth.
        modality: Whose vectors are clustered; `all` measures all three.
        truth: Which changes should be found; those of the modality unless given.
        max_states: Most states of a clip, at least 2.
        with_controls: Also measure an untrained model, the truth itself, the truth at the frames, changes of
            loudness, stretches of equal length, and one single stretch.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        num_clips: Take the first clips only.
        seed: Of k-means and of the resamples.
        figure: PNG file for the bars of one clip, the one in the middle by agreement with the truth.
        as_json: Print the reports as one JSON object.
    """
    from cavmae_sync.figures import save_figure
    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.temporal.config import TemporalTask
    from cavmae_sync.tasks.temporal.evaluate import measure_temporal
    from cavmae_sync.tasks.temporal.figure import temporal_report_figure

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
    modalities = get_args(Modalities) if modality == "all" else (modality,)
    with show_progress("embedding clips") as advance:
        reports = measure_temporal(
            embedder,
            clips,
            StageTruth(stage),
            tasks=[
                TemporalTask(modality=name, truth=truth, max_states=max_states, seed=seed)
                for name in modalities
            ],
            with_controls=with_controls,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if figure is not None:
        save_figure(temporal_report_figure(clips, [of_task["model"] for of_task in reports]), figure)
    _print(dict(zip(modalities, reports, strict=True)), as_json=as_json)


def _print(reports: "dict[str, dict[str, TemporalReport]]", *, as_json: bool) -> None:
    """One object by modality and by what made the prediction, or a table for each."""
    if as_json:
        content = {
            modality: {name: report.to_dict() for name, report in of_task.items()}
            for modality, of_task in reports.items()
        }
        print_lines(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for of_task in reports.values():
        for report in of_task.values():
            Terminal().print(report.to_table())

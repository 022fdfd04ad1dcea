"""`cavmae-sync evaluate localize`: does the model know where in the picture a sound comes from?"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from cavmae_sync.choices import MapRule, Precision, Representation, StagePrompt
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks.localization.evaluate import LocalizationReport
    from cavmae_sync.tasks.localization.examples import Examples
    from cavmae_sync.tasks.localization.maps import ScoreMaps


def localize(
    run_or_weights: Path | None = None,
    /,
    *overrides: str,
    maps: Path | None = None,
    data: Path | None = None,
    stage: Path | None = None,
    ade20k: Path | None = None,
    prompt: StagePrompt = "own",
    prompt_window: Literal["middle", "mean"] | int = "middle",
    num_clips: Count | None = None,
    with_controls: Annotated[bool, Parameter(negative="")] = False,
    rule: MapRule = "cosine",
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    figure: Path | None = None,
    as_json: Json = False,
) -> None:
    """Measure whether the map of a sound over a picture shows what sounds.

    The sound's vector is compared with every patch of the picture; the map is measured against the true mask,
    pixel by pixel, class by class: average precision, and IoU at each class's best threshold. Give either a
    generated stage with its truth (--data and --stage), or ADE20K with prompts of VGGSound (--ade20k).
    With --maps the maps are those that any other model made, and no model is named.

    Example: cavmae-sync evaluate localize my-run --data my-dataset --stage my-stage --with-controls

    Example: cavmae-sync evaluate localize --maps denseav.npz --ade20k ADE20KSoundPrompted

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true`.
        maps: Instead of a model: an .npz or Parquet file of maps that any model made (docs/localization.md).
        data: Dataset prepared from a stage.
        stage: Folder of that stage.
        ade20k: Folder ADE20KSoundPrompted in the layout of DenseAV.
        prompt: On a stage, which sound asks: the frame's own, or that of another clip with the same class.
        prompt_window: In ADE20K, which window of the prompt asks: the middle one, all with their maps
            averaged, or one by its number from 0 to 15.
        num_clips: Of a stage, take the first clips only.
        with_controls: Also measure the truth itself, an untrained model, spoilt questions and simple maps.
        rule: How maps are made: the cosine of sound and patch, or as DenseAV made them of CAV-MAE (dot
            products of all patches, averaged over frequency and over the time that has sound).
        representation: What stands for the sound: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        figure: PNG file for some questions with maps and answers.
        as_json: Print the report as one JSON object.
    """
    from cavmae_sync.figures import save_figure
    from cavmae_sync.tasks.localization.figures import localization_figure

    check_output(figure, option="--figure", suffix=".png")
    if ade20k is not None and data is None and stage is None:
        examples = _prompted(ade20k, prompt_window, num_clips=num_clips, prompt=prompt)
    elif ade20k is None and data is not None and stage is not None:
        examples = _stage(data, stage, prompt=prompt, num_clips=num_clips, window=prompt_window)
    else:
        raise ConfigError(
            "Give either --data and --stage, for a generated stage with its truth, or --ade20k, for ADE20K "
            "with prompts of VGGSound."
        )
    if (run_or_weights is None) == (maps is None):
        raise ConfigError("name either a run or weights, or --maps FILE, maps in an .npz or Parquet file.")
    if run_or_weights is None:
        chosen = (rule, representation, precision, device) != ("cosine", "global", "float32", None)
        if overrides or chosen:
            raise ConfigError(
                "--rule, --representation, --precision, --device and words are for a model: with --maps the "
                "maps are made. Leave them out."
            )
        report, controls = _of_maps(maps, examples, with_controls=with_controls)
    else:
        embedder = open_for_score(
            run_or_weights,
            overrides,
            clips=None if data is None else open_clips(data, num_clips=num_clips),
            device=device,
            precision=precision,
            representation=representation,
        )
        report, controls = _of_model(embedder, examples, rule=rule, with_controls=with_controls)
    if figure is not None:
        save_figure(localization_figure(report, examples), figure)
    _print(report, controls, as_json=as_json)


def _of_model(
    embedder: "Embedder", examples: "Examples", *, rule: "MapRule", with_controls: bool
) -> "tuple[LocalizationReport, list[LocalizationReport]]":
    from cavmae_sync.tasks.localization.controls import localization_controls
    from cavmae_sync.tasks.localization.evaluate import evaluate_localization

    with show_progress("maps") as advance:
        report = evaluate_localization(
            embedder, examples, rule=rule, on_progress=lambda done, total: advance(done, total, "")
        )
    controls = localization_controls(embedder, examples, report.maps, rule=rule)
    return report, _measured(controls, examples) if with_controls else []


def _of_maps(
    path: Path | None, examples: "Examples", *, with_controls: bool
) -> "tuple[LocalizationReport, list[LocalizationReport]]":
    from cavmae_sync.tasks.localization.controls import map_controls
    from cavmae_sync.tasks.localization.evaluate import localization_report
    from cavmae_sync.tasks.localization.map_files import read_maps

    if path is None:
        raise AssertionError("A file of maps was named.")
    maps = read_maps(path, examples)
    report = localization_report(maps, examples)
    return report, _measured(map_controls(examples, maps), examples) if with_controls else []


def _measured(controls: "Iterable[ScoreMaps]", examples: "Examples") -> "list[LocalizationReport]":
    from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, localization_report

    reports: list[LocalizationReport] = []
    with show_progress("controls") as advance:
        for number, maps in enumerate(controls, start=1):
            reports.append(localization_report(maps, examples, LocalizationConfig(num_bootstrap=0)))
            advance(number, max(number, 9), maps.name)
    return reports


def _prompted(
    folder: Path,
    window: Literal["middle", "mean"] | int,
    *,
    num_clips: int | None,
    prompt: StagePrompt,
) -> "Examples":
    from cavmae_sync.tasks.localization.ade20k import Ade20kFolder
    from cavmae_sync.tasks.localization.ade20k_examples import Ade20kExamples

    if num_clips is not None or prompt != "own":
        raise ConfigError("--num-clips and --prompt are for a stage; --ade20k takes every row as it is.")
    return Ade20kExamples(Ade20kFolder(folder), window=window)


def _stage(
    data: Path,
    stage: Path,
    *,
    prompt: StagePrompt,
    num_clips: int | None,
    window: Literal["middle", "mean"] | int,
) -> "Examples":
    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.localization.stage_examples import StageExamples

    if window != "middle":
        raise ConfigError("--prompt-window is for --ade20k; on a stage the sound around each frame asks.")
    clips = open_clips(data, num_clips=num_clips)
    return StageExamples(clips, StageTruth(stage), prompt=prompt)


def _print(report: "LocalizationReport", controls: "list[LocalizationReport]", *, as_json: bool) -> None:
    if as_json:
        of_controls = {control.maps.name: control.to_dict() for control in controls}
        whole = {**report.to_dict(), **({"controls": of_controls} if controls else {})}
        print_lines(json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False))
        return
    console = Terminal()
    console.print(report.to_table())
    console.print(report.class_table())
    if controls:
        console.print(_comparison([report, *controls]))


def _comparison(reports: "Iterable[LocalizationReport]") -> Table:
    table = Table(title="beside controls", title_justify="left")
    table.add_column("maps by")
    names = list(dict.fromkeys(name for report in reports for name in report.metrics))
    for name in names:
        table.add_column(name.replace("_", " ").replace("/", ": "), justify="right")
    for report in reports:
        values = (report.metrics.get(name) for name in names)
        texts = ("" if value is None else value.text() for value in values)
        table.add_row(report.maps.name.replace("_", " "), *texts)
    return table

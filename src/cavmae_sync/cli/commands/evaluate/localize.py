"""`cavmae-sync evaluate localize`: does the model know where in the picture a sound comes from?"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter
from rich.table import Table

from cavmae_sync.choices import StagePrompt
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import (
    EncodeOptions,
    NumClips,
    ResultOptions,
    RunOrWeights,
    Switch,
    Word,
)
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure, words_without_model
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, LocalizationReport
    from cavmae_sync.tasks.localization.examples import Examples
    from cavmae_sync.tasks.localization.maps import ScoreMaps
    from cavmae_sync.tasks.report import Report


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleOptions:
    """Sounds that ask, frames, and the true masks.

    Attributes:
        data: Dataset prepared from a generated stage.
        stage: Folder of that stage.
        ade20k: Folder ADE20KSoundPrompted in the layout of DenseAV.
        prompt: Sound that asks, on a stage: the frame's own, or that of another clip with the same class.
        prompt_window: Window of the sound that asks, in ADE20K: the middle one, the mean of the maps of all,
            or one by its number from 0 to 15.
    """

    data: Path | None = None
    stage: Annotated[Path | None, Parameter(help="Folder of that stage.")] = None
    ade20k: Path | None = None
    num_clips: NumClips = None
    prompt: StagePrompt = "own"
    prompt_window: Literal["middle", "mean"] | int = "middle"

    def open(self) -> "Examples":
        """The examples of the folders that are given.

        Raises:
            ConfigError: Options of a stage and of ADE20K are mixed, or some are missing.
        """
        from cavmae_sync.stage import StageTruth
        from cavmae_sync.tasks.localization.ade20k import Ade20kFolder
        from cavmae_sync.tasks.localization.ade20k_examples import Ade20kExamples
        from cavmae_sync.tasks.localization.stage_examples import StageExamples

        if self.ade20k is not None and self.data is None and self.stage is None:
            if self.num_clips is not None or self.prompt != "own":
                raise ConfigError(
                    "--num-clips and --prompt are for a stage; --ade20k takes every row as it is."
                )
            return Ade20kExamples(Ade20kFolder(self.ade20k), window=self.prompt_window)
        if self.ade20k is None and self.data is not None and self.stage is not None:
            if self.prompt_window != "middle":
                raise ConfigError(
                    "--prompt-window is for --ade20k; on a stage the sound around each frame asks."
                )
            clips = open_clips(self.data, num_clips=self.num_clips)
            return StageExamples(clips, StageTruth(self.stage), prompt=self.prompt)
        raise ConfigError(
            "Give either --data and --stage, for a generated stage with its truth, or --ade20k, for ADE20K "
            "with prompts of VGGSound."
        )


_NOT_GIVEN: Final = EncodeOptions()


def localize(
    run_or_weights: RunOrWeights | None = None,
    /,
    *words: Word,
    maps: Path | None = None,
    examples: ExampleOptions = ExampleOptions(),
    with_controls: Switch = False,
    sound_parts: Switch = False,
    compute: EncodeOptions = _NOT_GIVEN,
    results: ResultOptions = ResultOptions(),
) -> None:
    """Measure whether the map of a sound over a frame shows the object that sounds.

    This is sound-prompted segmentation. The map is measured against the true mask, pixel by pixel, class by
    class: average precision, and IoU at each class's best threshold. Give either a generated stage with its
    truth (--data and --stage), or ADE20K with prompts of VGGSound (--ade20k). With --maps the maps are those
    that any other model made, and no model is named. The figure shows some frames with their maps and masks.
    `cavmae-sync localize` shows the maps of any video.

    Words, with their defaults:

    - `map=cosine`: cosine of the sound with each patch (the paper); `denseav`: products of all patches, as
      DenseAV made maps of CAV-MAE; `masking`: what showing a patch adds to the cosine of sound and frame;
      `attention`: what attention adds to it from the patch.
    - `contrast=false`: true takes the mean of all sounds off, so that what is striking for every sound fades.
    - `num_masks=36`, `mask_ratio=0.9`: by masking, masks of a frame, and the share of patches each hides.
    - `block_patches=none`: side of the blocks hidden together; none leaves at least six on a side.
    - `ridge=1`, `mask_seed=0`: penalty of the regression, and seed of the masks.
    - `num_bootstrap=1000`: resamples behind the 95 % intervals; 0 gives none.
    - `seed=0`: seed of the resamples.

    Example: cavmae-sync evaluate localize my-run --data my-dataset --stage my-stage --with-controls

    Example: cavmae-sync evaluate localize my-run map=masking contrast=true --data my-dataset --stage my-stage

    Example: cavmae-sync evaluate localize --maps denseav.npz --ade20k ADE20KSoundPrompted

    Args:
        maps: Instead of a model: .npz or Parquet file of maps that any model made.
        with_controls: Also measure the truth itself, an untrained model, wrong prompts and simple maps.
        sound_parts: Also measure, on a stage, which part of the sound belongs to a frame, by hiding parts of
            the sound, with its controls.
    """
    from cavmae_sync.maps import MapConfig
    from cavmae_sync.tasks.localization.evaluate import LocalizationConfig
    from cavmae_sync.tasks.localization.figures import localization_figure

    results.check()
    opened = examples.open()
    run_or_weights, given = words_without_model(run_or_weights, words)
    config, for_model = configure(LocalizationConfig(), given)
    parts: Report | None = None
    if run_or_weights is None and maps is not None:
        if for_model or compute is not _NOT_GIVEN or config.settings() != MapConfig().settings():
            raise ConfigError(
                "--representation, --precision, --device and words for a model or its maps cannot be used "
                "with --maps: the maps are made already. Leave them out."
            )
        report, controls = _measure_maps(maps, opened, config, with_controls=with_controls)
    elif run_or_weights is not None and maps is None:
        clips = None if examples.data is None else open_clips(examples.data, num_clips=examples.num_clips)
        embedder = open_for_score(run_or_weights, for_model, compute, clips=clips)
        report, controls = _measure_model(
            embedder, opened, config, with_controls=with_controls, as_json=results.as_json
        )
        parts = _measure_sound_parts(embedder, clips, examples, config) if sound_parts else None
    else:
        raise ConfigError("Name either a run or weights, or --maps FILE, an .npz or Parquet file of maps.")
    results.save_figure(lambda: localization_figure(report, opened))
    _print(report, controls, parts, as_json=results.as_json)


def _measure_sound_parts(
    embedder: "Embedder",
    clips: "PreparedDataset | None",
    examples: ExampleOptions,
    config: "LocalizationConfig",
) -> "Report":
    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.localization.sound_parts import evaluate_sound_parts

    if clips is None or examples.stage is None:
        raise ConfigError("--sound-parts needs a stage, whose truth says when each object sounds.")
    with show_progress("parts of the sound") as advance:
        return evaluate_sound_parts(embedder, clips, StageTruth(examples.stage), config, on_progress=advance)


def _measure_model(
    embedder: "Embedder",
    examples: "Examples",
    config: "LocalizationConfig",
    *,
    with_controls: bool,
    as_json: bool,
) -> "tuple[LocalizationReport, list[LocalizationReport]]":
    from cavmae_sync.tasks.localization.controls import localization_controls
    from cavmae_sync.tasks.localization.evaluate import evaluate_localization

    started = time.perf_counter()
    with show_progress("maps") as advance:
        report = evaluate_localization(embedder, examples, config, on_progress=advance)
    if not as_json:
        milliseconds = 1000 * (time.perf_counter() - started) / len(examples.targets)
        Terminal().print(f"{milliseconds:.1f} ms a map, of which the measurement is a part")
    controls = localization_controls(embedder, examples, report.maps, config)
    return report, _measure_controls(controls, examples) if with_controls else []


def _measure_maps(
    path: Path, examples: "Examples", config: "LocalizationConfig", *, with_controls: bool
) -> "tuple[LocalizationReport, list[LocalizationReport]]":
    from cavmae_sync.tasks.localization.controls import map_controls
    from cavmae_sync.tasks.localization.evaluate import localization_report
    from cavmae_sync.tasks.localization.map_files import read_maps

    maps = read_maps(path, examples)
    report = localization_report(maps, examples, config)
    return report, _measure_controls(map_controls(examples, maps), examples) if with_controls else []


def _measure_controls(controls: "Iterable[ScoreMaps]", examples: "Examples") -> "list[LocalizationReport]":
    from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, localization_report

    reports: list[LocalizationReport] = []
    with show_progress("controls") as advance:
        for number, maps in enumerate(controls, start=1):
            reports.append(localization_report(maps, examples, LocalizationConfig(num_bootstrap=0)))
            advance(number, max(number, 9), maps.name)
    return reports


def _print(
    report: "LocalizationReport",
    controls: "list[LocalizationReport]",
    parts: "Report | None",
    *,
    as_json: bool,
) -> None:
    if as_json:
        of_controls = {control.maps.name: control.to_dict() for control in controls}
        of_parts = {} if parts is None else {"sound_parts": parts.to_dict()}
        print_json({**report.to_dict(), **({"controls": of_controls} if controls else {}), **of_parts})
        return
    console = Terminal()
    console.print(report.to_table())
    console.print(report.to_class_table())
    if controls:
        console.print(_comparison([report, *controls]))
    if parts is not None:
        console.print(parts.to_table())


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

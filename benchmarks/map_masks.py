"""What masks of a map cost and give: python -m benchmarks.map_masks RUN DATA STAGE --figure map-masks.png.

For each number of masks: average precision of maps by the own sound, by the sound of another class, and of an
untrained model, and the time of a map beside that of the paper's map. Mean sounds are taken off (contrast).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.axes import Axes

from cavmae_sync import Embedder, PreparedDataset, load_model
from cavmae_sync.figures import save_figure
from cavmae_sync.figures.style import BLUE, GREY, VERMILION, label, new_figure
from cavmae_sync.inputs import normalize_frames
from cavmae_sync.maps import MapConfig, localization_maps, patch_vectors
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.localization.controls import rows_of_other_classes
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, localization_report
from cavmae_sync.tasks.localization.maps import ScoreMaps, prompt_vectors
from cavmae_sync.tasks.localization.stage_examples import StageExamples

NUM_MASKS = (9, 18, 36, 72, 144)


@dataclass(frozen=True)
class Row:
    """Average precisions in percent, and seconds of the processor for one map, of one rule."""

    name: str
    own: float
    swapped: float
    untrained: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("run", "data", "stage"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--num-clips", type=int, default=100)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    embedder = Embedder(load_model(options.run), device="cpu")
    clips = PreparedDataset.open(options.data).head(options.num_clips)
    examples = StageExamples(clips, StageTruth(options.stage))
    rules = [("cosine", MapConfig(contrast=True))]
    rules += [
        (f"{masks} masks", MapConfig(map="masking", contrast=True, num_masks=masks)) for masks in NUM_MASKS
    ]
    rows: list[Row] = []
    print(f"{len(clips)} clips, {len(examples.targets)} frames")
    print("| Map | Own sound | Other class's sound | Untrained | Time |\n|---|---|---|---|---|")
    for name, config in rules:
        rows.append(measured(name, embedder, examples, config))
        row, ratio = rows[-1], rows[-1].seconds / rows[0].seconds
        print(
            f"| {name} | {row.own:.1f} | {row.swapped:.1f} | {row.untrained:.1f} | {ratio:.1f} |", flush=True
        )
    if options.figure is not None:
        draw(rows, options.figure)


def measured(name: str, embedder: Embedder, examples: StageExamples, config: MapConfig) -> Row:
    """Average precisions of a rule. The time counts vectors of a segment, of its frame and of its patches."""
    inputs = embedder.model.config.inputs
    num_rows = len(examples.targets)
    images = [torch.from_numpy(examples.image(r, pixels=inputs.frame_pixels)) for r in range(num_rows)]
    frames_RCHW = normalize_frames(torch.stack(images))
    swapped = torch.from_numpy(rows_of_other_classes(examples.targets))
    precisions: list[float] = []
    seconds = 0.0
    for each in (embedder, untrained(embedder)):
        start = time.process_time()
        sounds_RD = prompt_vectors(each, examples, config)
        if config.map != "cosine":
            each.embed_frames(frames_RCHW)
        patches_RND = patch_vectors(each, frames_RCHW, config)
        seconds = seconds or (time.process_time() - start) / num_rows
        for vectors_RD in (sounds_RD, sounds_RD[swapped]):
            maps = localization_maps(vectors_RD, patches_RND, grid=each.model.config.visual_grid)
            report = localization_report(
                ScoreMaps(maps=list(maps), name=name), examples, LocalizationConfig(num_bootstrap=0)
            )
            precisions.append(100 * report.metrics["mean_average_precision"].value)
    own, other, fresh, _ = precisions
    return Row(name=name, own=own, swapped=other, untrained=fresh, seconds=seconds)


def draw(rows: list[Row], path: Path) -> None:
    figure = new_figure(width_inches=6, height_inches=3.6)
    axes: Axes = figure.subplots()
    times = [row.seconds / rows[0].seconds for row in rows]
    for key, colour, text in (
        ("own", BLUE, "own sound"),
        ("swapped", VERMILION, "sound of another class"),
        ("untrained", GREY, "untrained model, own sound"),
    ):
        axes.plot(times, [getattr(row, key) for row in rows], "o-", color=colour, label=text)
    for row, at in zip(rows, times, strict=True):
        axes.annotate(row.name, (at, row.own), xytext=(0, 6), textcoords="offset points", ha="center")
    axes.set_ylim(0, max(row.own for row in rows) * 1.2)
    axes.set_xlim(0, max(times) * 1.1)
    axes.legend(loc="lower right")
    label(axes, x="time of a map over that of the paper's map", y="average precision (%)")
    save_figure(figure, path)


if __name__ == "__main__":
    main()

"""Loss curves of a small model in several precisions: do they differ by more than seeds do?

One run per precision and seed, on the same data; a seed decides weights, order, frames and masks, so that
runs of one seed are pairs. The score of a run is the mean loss of its last 50 steps. Precisions agree when
the mean difference of pairs to float32 is smaller than the standard deviation of float32 over its seeds.

    python -m benchmarks.studies.precision_curves DATASET --out FOLDER [--num-steps 300] [--seeds 0 1 2]
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cavmae_sync.atomic import write_text
from cavmae_sync.choices import TrainingPrecision
from cavmae_sync.figures.style import label, new_figure, save_figure
from cavmae_sync.inputs import InputConfig
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import DecoderConfig, MaskingConfig, ModelConfig
from cavmae_sync.recipes import continue_pretraining, run_pretraining
from cavmae_sync.training import LoopConfig, OptimConfig, PretrainConfig, RunFolder, read_metrics

#: Steps whose mean loss is the score of a run, and the width of the mean that is drawn.
LAST_STEPS, DRAWN_STEPS = 50, 10
COLORS = {"float32": "tab:blue", "bfloat16": "tab:red", "float16": "tab:green"}


def configuration(precision: TrainingPrecision, seed: int, num_steps: int) -> PretrainConfig:
    """A model of 0.5 million parameters for frames of 96 pixels, in batches of 16."""
    return PretrainConfig(
        name="precision_curves",
        seed=seed,
        model=ModelConfig(
            inputs=InputConfig(frame_pixels=96, segment_length=96, align_length="valid"),
            width=64,
            depth=3,
            heads=4,
            registers=4,
            decoder=DecoderConfig(width=32, depth=1, heads=4),
        ),
        masking=MaskingConfig(ratio=0.5),
        losses=LossConfig(
            contrastive_weight=1.0, contrast=ContrastConfig(negatives="local", direction="both")
        ),
        optim=OptimConfig(learning_rate=1e-3, clip_gradient_norm=1.0),
        loop=LoopConfig(
            batch_size=16,
            num_steps=num_steps,
            precision=precision,
            num_workers=0,
            log_every_steps=1,
            validate_every_steps=num_steps,
            keep_checkpoints=1,
        ),
    )


def losses_of(config: PretrainConfig, data: Path, folder: Path) -> tuple[list[float], float]:
    """The total loss of each step, and the seconds that the run took; a run that is there goes on."""
    began = time.perf_counter()
    if (folder / "config.json").exists() and RunFolder(folder).has_results():
        continue_pretraining(folder, device="cpu")
    else:
        run_pretraining(config, data=data, out=folder, device="cpu")
    rows = read_metrics(RunFolder(folder).metrics)
    return [row["total"] for row in rows if row["kind"] == "train"], time.perf_counter() - began


def compare(curves: dict[str, dict[int, list[float]]]) -> dict[str, object]:
    """Scores, and for each precision but float32 its difference against the spread of seeds."""
    scores = {
        precision: {seed: statistics.fmean(curve[-LAST_STEPS:]) for seed, curve in of_seed.items()}
        for precision, of_seed in curves.items()
    }
    exact = scores["float32"]
    deviation = statistics.stdev(exact.values())
    found: dict[str, object] = {"scores": scores, "deviation_of_seeds": deviation}
    for precision, of_seed in scores.items():
        if precision == "float32":
            continue
        pairs = [of_seed[seed] - exact[seed] for seed in exact]
        found[precision] = {
            "mean_difference": statistics.fmean(pairs),
            "differences": pairs,
            "within_seeds": abs(statistics.fmean(pairs)) < deviation,
            "largest_step_difference": max(
                float(np.abs(np.subtract(curves[precision][seed], curves["float32"][seed])).max())
                for seed in exact
            ),
        }
    return found


def draw(curves: dict[str, dict[int, list[float]]], verdict: dict[str, object], path: Path) -> None:
    """Curves of all runs above, differences of pairs below."""
    figure = new_figure(width_inches=8, height_inches=7)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    styles = ("-", "--", ":", "-.")
    for precision, of_seed in curves.items():
        for number, (seed, curve) in enumerate(of_seed.items()):
            steps, smooth = _smooth(curve)
            style, color = styles[number % len(styles)], COLORS[precision]
            broad = precision == "float32"  # lies under the others, which cover it where they agree
            above.plot(
                steps,
                smooth,
                style,
                color=color,
                lw=3.5 if broad else 1.2,
                alpha=0.4 if broad else 1,
                label=f"{precision}, seed {seed}",
            )
            if precision != "float32":
                difference = smooth - _smooth(curves["float32"][seed])[1]
                below.plot(steps, difference, style, color=color, lw=1.2, label=f"seed {seed}")
    deviation = verdict["deviation_of_seeds"]
    assert isinstance(deviation, float)
    below.axhspan(-deviation, deviation, color="0.85", label="deviation of float32 over seeds", zorder=0)
    below.axhline(0, color="0.4", lw=0.8)
    above.legend(fontsize=8, ncols=2)
    below.legend(fontsize=8, ncols=2)
    label(above, y="loss", title=f"Loss of a small model, mean over {DRAWN_STEPS} steps")
    label(below, x="step", y="loss", title="Difference to float32 of the same seed")
    save_figure(figure, path)


def _smooth(curve: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    means = np.convolve(curve, np.full(DRAWN_STEPS, 1 / DRAWN_STEPS), mode="valid")
    return np.arange(DRAWN_STEPS, len(curve) + 1), means


def main() -> None:
    """Run, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num-steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"], choices=list(COLORS))
    options = parser.parse_args()
    if options.precisions[0] != "float32" or len(options.seeds) < 2:
        parser.error("float32 comes first, and a spread needs two seeds or more")
    curves: dict[str, dict[int, list[float]]] = {}
    seconds: dict[str, float] = {}
    for seed in options.seeds:
        for precision in options.precisions:
            config = configuration(precision, seed, options.num_steps)
            folder = options.out / f"{precision}_{seed}"
            curve, seconds[folder.name] = losses_of(config, options.data, folder)
            curves.setdefault(precision, {})[seed] = curve
    verdict = compare(curves)
    facts = {"threads": torch.get_num_threads(), "torch": torch.__version__, "seconds": seconds}
    write_text(
        options.out / "precision_curves.json", json.dumps({**facts, **verdict, "curves": curves}, indent=2)
    )
    draw(curves, verdict, options.out / "precision_curves.png")
    print(json.dumps(verdict, indent=2))


if __name__ == "__main__":
    main()

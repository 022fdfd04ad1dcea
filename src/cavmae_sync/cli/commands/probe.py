"""`cavmae-sync probe`: a model and labelled clips to a classifier and its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.cli.commands.probe_feature_file import is_feature_file, probe_feature_file
from cavmae_sync.cli.commands.probe_model import ProbeDatasets, open_model_probe
from cavmae_sync.cli.options import (
    ComputeOptions,
    Json,
    ReaderProcesses,
    RunOrWeights,
    ShardOptions,
    Switch,
    Word,
)
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import words_without_model
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.cli.commands.probe_model import ProbeResult


def probe(
    run_or_weights: RunOrWeights | None = None,
    /,
    *words: Word,
    datasets: ProbeDatasets = ProbeDatasets(),
    out: Path,
    recipe: str = "probe_as20k",
    features: Path | None = None,
    with_controls: Switch = False,
    compute: ComputeOptions = ComputeOptions(),
    num_workers: ReaderProcesses = 0,
    shards: ShardOptions = ShardOptions(),
    as_json: Json = False,
) -> None:
    """Train a classifier on a model's features, or fine-tune the model, and measure it on other clips.

    Both datasets must be prepared with --labels. The learning rate is chosen on a part of the training clips,
    never on the test clips. OUT gets probe.safetensors, report.json, metrics.jsonl and config.json, and after
    fine-tuning weights.safetensors; averaged/ holds the same for weights averaged over epochs.
    `cavmae-sync classify` shows what the classifier finds in a video.

    Recipes: probe_as20k (any number of labels per clip), probe_vggsound (one label per clip), probe_stage
    (some hundred clips); finetune_as20k, finetune_as2m, finetune_vggsound train the model too.

    Some words of a recipe:

    - `head=linear`: logistic regression on the mean over time, instead of a transformer.
    - `features.modalities=audio`: what the classifier sees: audio, visual or both.
    - `features.tokens=patch_mean`: what stands for a frame or segment.
    - `backbone=frozen augment.mixup_probability=0.5`: compute features anew in each epoch, to augment clips.
    - `learning_rates=1e-3,1e-2`: learning rates to choose from.

    With --features FILE the features are those that any other model made, and no model is named. With
    --num-shards, each machine computes its share of the features into the same --features and trains nothing;
    when all have ended, the same command without --shard-index and --num-shards trains.

    Example: cavmae-sync probe my-run --train my-dataset --test my-test-dataset --out my-probe head=linear

    Example: cavmae-sync probe --features imagebind.npz --train my-data --test my-test --out theirs

    Args:
        out: Folder of the probe.
        recipe: Name of a complete configuration.
        features: Folder where features are kept, to share them between probes; OUT/features unless given. Or
            an .npz or Parquet file of features that any model made.
        with_controls: Also report an untrained model (with a file: features of other clips), the truth and
            the frequency of classes.
    """
    check_folder(out, option="--out")
    run_or_weights, given = words_without_model(run_or_weights, words)
    if features is not None and is_feature_file(features):
        model = [] if run_or_weights is None else [str(run_or_weights)]
        _refuse_model_options(model, compute=compute, shards=shards, num_workers=num_workers)
        result = probe_feature_file(
            features,
            given,
            datasets,
            recipe=recipe,
            out=out,
            device=compute.device,
            with_controls=with_controls,
        )
        _print(result, out=out, as_json=as_json)
        return
    check_folder(features, option="--features")
    is_share = shards != ShardOptions()
    opened = open_model_probe(
        run_or_weights,
        given,
        datasets,
        recipe=recipe,
        out=None if is_share else out,
        compute=compute,
        features=features or out / "features",
        num_workers=num_workers,
    )
    if is_share:
        opened.compute_share(shards, as_json=as_json)
        return
    _print(opened.run(out, with_controls=with_controls), out=out, as_json=as_json)


def _refuse_model_options(
    model: Sequence[str], *, compute: ComputeOptions, shards: ShardOptions, num_workers: int
) -> None:
    if model:
        raise ConfigError(
            f"Give either a model ({model[0]}) or --features FILE, not both: the features of a file are made "
            "already."
        )
    given = {
        "--precision": compute.precision != "float32",
        "--num-shards": shards.num_shards > 1,
        "--num-workers": num_workers > 0,
    }
    if odd := [name for name, is_given in given.items() if is_given]:
        raise ConfigError(
            f"{', '.join(odd)} cannot be used with --features FILE: the features are made already."
        )


def _print(result: "ProbeResult", *, out: Path, as_json: bool) -> None:
    reports, learning_rate, held_out_scores = result
    if as_json:
        print_json(
            {
                "out": str(out),
                "learning_rate": learning_rate,
                "held_out_scores": {f"{rate:g}": score for rate, score in held_out_scores.items()},
                "reports": {name: report.to_dict() for name, report in reports.items()},
            }
        )
        return
    console = Terminal()
    for name, report in reports.items():
        console.print(name.replace("_", " ").upper(), style="bold")
        console.print(report.to_table())
    scores = ", ".join(f"{rate:g}: {score:.3f}" for rate, score in held_out_scores.items())
    chosen = f" (held-out training clips: {scores})" if scores else ""
    console.print(f"learning rate {learning_rate:g}{chosen}", soft_wrap=True)
    if scores and learning_rate in (min(held_out_scores), max(held_out_scores)):
        console.print(
            "It is the smallest or the largest of those tried. Try more, for example "
            "learning_rates=1e-3,1e-2,1e-1.",
            soft_wrap=True,
        )
    what = "probe" if any(out.glob("probe.*")) else "reports"
    console.print(f"{what} in {out}", soft_wrap=True)

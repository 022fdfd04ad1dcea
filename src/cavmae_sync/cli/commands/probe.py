"""`cavmae-sync probe`: a model and labelled clips to a classifier and its report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cavmae_sync.checks import Checks
from cavmae_sync.choices import Precision
from cavmae_sync.cli.commands.probe_features import is_file_of_features, probe_features, refuse_model_options
from cavmae_sync.cli.models import open_embedder, open_share
from cavmae_sync.cli.options import Count, Json, Workers
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_line, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks.classification.config import ProbeConfig
    from cavmae_sync.tasks.classification.evaluate import ClassificationReport
_MODEL = "model."


def probe(
    run_or_weights: Path | None = None,
    /,
    *overrides: str,
    train: Path | None = None,
    test: Path | None = None,
    out: Path,
    recipe: str = "probe_as20k",
    features: Path | None = None,
    precision: Precision = "float32",
    device: str | None = None,
    num_workers: Workers = 0,
    shard_index: int = 0,
    num_shards: Count = 1,
    allow_overlap: Annotated[bool, Parameter(negative="")] = False,
    with_controls: Annotated[bool, Parameter(negative="")] = False,
    as_json: Json = False,
) -> None:
    """Train a classifier on a model's features, or fine-tune the model, and measure it on other clips.

    Both datasets must be prepared with --labels. The learning rate is chosen on a slice of the training
    clips, never on the test clips. OUT gets probe.safetensors, report.json, metrics.jsonl and config.json,
    and after fine-tuning weights.safetensors; averaged/ holds the same for weights averaged over epochs.

    Recipes: probe_as20k (any number of labels per clip), probe_vggsound (one label per clip), probe_stage
    (some hundred clips); finetune_as20k, finetune_as2m, finetune_vggsound train the model too.

    With --features FILE the features are those that any other model made, and no model is named.

    Example: cavmae-sync probe my-run --train my-dataset --test my-test-dataset --out my-probe head=linear

    Example: cavmae-sync probe --features imagebind.npz --train my-data --test my-test --out theirs

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key.path=value` words, for example `head=linear`, `features.modalities=audio`,
            `features.tokens=patch_mean`, `backbone=frozen augment.mixup_probability=0.5`; with `model.` in
            front for what no weight shows, `model.inputs.align_length=valid`.
        train: Prepared dataset to learn from; a file of features may say itself which clips these are.
        test: Prepared dataset to measure with.
        out: Folder of the probe.
        recipe: Name of a complete configuration.
        features: Folder where features are kept, to share them between probes; OUT/features unless given.
            Or an .npz or Parquet file of features that any model made (docs/classification.md).
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        num_workers: Processes that read clips; 0 reads in this one.
        shard_index: Which of several machines this is, from 0: it computes its share of the features into the
            same --features, and trains nothing. Run once more without when all have ended.
        num_shards: How many machines compute features.
        allow_overlap: Measure also on test clips that are among the training clips (told by their content).
        with_controls: Report an untrained model (of a file: features of other clips), the truth and the
            frequency of classes too.
        as_json: Print the result as one JSON object.
    """
    from cavmae_sync.recipes.probing import find_probe_recipe
    from cavmae_sync.tasks.classification.probe_model import cache_probe_share

    check_folder(out, option="--out")
    if features is not None and is_file_of_features(features):
        words = [*([] if run_or_weights is None else [str(run_or_weights)]), *overrides]
        refuse_model_options(words, precision=precision, num_shards=num_shards, num_workers=num_workers)
        config = find_probe_recipe(recipe).with_overrides(words)
        datasets = {"train": train, "test": test, "allow_overlap": allow_overlap}
        measured = probe_features(
            features, config, out=out, device=device, with_controls=with_controls, **datasets
        )
        _print(*measured, out=out, as_json=as_json)
        return
    is_share = num_shards > 1 or shard_index > 0
    check_folder(features, option="--features")
    config, embedder, found, clips = _open(
        run_or_weights,
        (recipe, *overrides),
        {"train": train, "test": test},
        out=None if is_share else out,
        allow_overlap=allow_overlap,
        device=device,
        precision=precision,
    )
    shared: dict[str, Any] = {
        **clips,
        "features": features or out / "features",
        "num_workers": num_workers or 0,
        "show": show_progress,
    }
    if is_share:
        share = open_share(shard_index, num_shards)
        is_complete = cache_probe_share(embedder, config, share=share, **shared)
        _print_share(shared["features"], is_complete=is_complete, as_json=as_json)
        return
    shared |= {"allow_overlap": allow_overlap, "model_path": found}
    measured = _of_model(embedder, config, out=out, with_controls=with_controls, **shared)
    _print(*measured, out=out, as_json=as_json)


def _open(
    run_or_weights: Path | None,
    recipe: Sequence[str],
    datasets: Mapping[str, Path | None],
    *,
    out: Path | None,
    allow_overlap: bool,
    device: str | None,
    precision: Precision,
) -> "tuple[ProbeConfig, Embedder, Path, dict[str, PreparedDataset]]":
    """Everything that is named, or all that is wrong with it; without `out` only features are made."""
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.recipes.probing import find_probe_recipe
    from cavmae_sync.tasks.classification.checks import check_probing
    from cavmae_sync.weights import find_weights

    if run_or_weights is None or None in datasets.values():
        raise ConfigError(
            "name a run or weights, --train and --test; or give --features FILE, features in an .npz or "
            "Parquet file."
        )
    checks, (name, *overrides) = Checks(), recipe
    config = checks.collect(
        lambda: find_probe_recipe(name).with_overrides(_words(overrides, is_for_model=False))
    )
    opened = {
        split: checks.collect(lambda path=path: PreparedDataset.open(path))
        for split, path in datasets.items()
        if path is not None
    }
    if out is not None:
        checks.collect(lambda: check_probing(config, out=out, allow_overlap=allow_overlap, **opened))
    found = checks.collect(lambda: find_weights(run_or_weights))  # once: a name may mean others tomorrow
    embedder = None
    if found is not None:
        words = _words(overrides, is_for_model=True)
        embedder = checks.collect(lambda: open_embedder(found, words, device=device, precision=precision))
    checks.raise_errors()
    assert config  # or it had ended
    assert embedder
    assert found
    return config, embedder, found, {name: clips for name, clips in opened.items() if clips is not None}


def _of_model(
    embedder: "Embedder", config: "ProbeConfig", *, out: Path, with_controls: bool, **shared: Any
) -> "tuple[Mapping[str, ClassificationReport], float, Mapping[float, float]]":
    """Reports by name, the learning rate, and the scores by which it was chosen."""
    from cavmae_sync.tasks import untrained
    from cavmae_sync.tasks.classification.controls import begin_again, control_reports
    from cavmae_sync.tasks.classification.probe import PROBE_FILE
    from cavmae_sync.tasks.classification.probe_model import probe_model

    controls: dict[str, ClassificationReport] = {}
    if with_controls:  # first: a kill after OUT has its probe would leave it without them
        place = out / "untrained"
        begin_again(place, config, last_file=PROBE_FILE)
        fresh = untrained(embedder, seed=config.seed)
        control = probe_model(fresh, config, out=place, **shared | {"model_path": None})
        controls["untrained"] = control.report
        controls |= control_reports(config, train=shared["train"], test=shared["test"])
    result = probe_model(embedder, config, out=out, **shared)
    return {**result.reports, **controls}, result.learning_rate, result.held_out_scores


def _print_share(features: Path, *, is_complete: bool, as_json: bool) -> None:
    if as_json:
        print_lines(json.dumps({"features": str(features), "is_complete": is_complete}))
    elif is_complete:
        print_line(
            f"{features} is complete. Train with the same command without --shard-index and --num-shards."
        )
    else:
        print_line(f"The features of this share are in {features}. Other shares are missing.")


def _words(overrides: Sequence[str], *, is_for_model: bool) -> list[str]:
    words = [word for word in overrides if word.startswith(_MODEL) == is_for_model]
    return [word.removeprefix(_MODEL) for word in words]


def _print(
    reports: "Mapping[str, ClassificationReport]",
    learning_rate: float,
    held_out_scores: Mapping[float, float],
    *,
    out: Path,
    as_json: bool,
) -> None:
    if as_json:
        facts = {
            "out": str(out),
            "learning_rate": learning_rate,
            "held_out_scores": {f"{rate:g}": score for rate, score in held_out_scores.items()},
            "reports": {name: report.to_dict() for name, report in reports.items()},
        }
        print_lines(json.dumps(facts, indent=2, allow_nan=False, ensure_ascii=False))
        return
    console = Terminal()
    for name, report in reports.items():
        console.print(name.replace("_", " ").upper(), style="bold")
        console.print(report.to_table())
    scores = ", ".join(f"{rate:g}: {score:.3f}" for rate, score in held_out_scores.items())
    chosen = f" (held-out training clips: {scores})" if scores else ""
    console.print(f"learning rate {learning_rate:g}{chosen}", soft_wrap=True)
    if scores and learning_rate in (min(held_out_scores), max(held_out_scores)):
        console.print("It is at an end of those tried. Try more, for example learning_rates=1e-3,1e-2,1e-1.")
    what = "probe" if any(out.glob("probe.*")) else "reports"
    console.print(f"{what} in {out}", soft_wrap=True)

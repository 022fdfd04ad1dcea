r"""Puts the model that comes with the package into it: weights, card, and its numbers beside the baselines.

In an empty folder:

    FRAMES="frame_pixels=96 sampling=uniform_center"
    for SPLIT in train test; do
      cavmae-sync stage $SPLIT --num-clips 1000 split=$SPLIT frame_pixels=96 frames_per_second=8
      cavmae-sync prepare $SPLIT/clips --out data-$SPLIT --labels $SPLIT/labels.csv $FRAMES
    done
    cavmae-sync pretrain stage_sync_plus_base --data data-train --out run loop.num_steps=4000
    cavmae-sync evaluate retrieval run --data data-test --stage test --train-data data-train \
      --with-controls --json > numbers.json
    python small_model.py run numbers.json --data data-test --stage test

The bundled weights were trained with loop.precision=bfloat16.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.exchange.proof import make_proof
from cavmae_sync.paper import NUM_FRAMES
from cavmae_sync.recipes.tables.stage_cells import NUM_MAP_CLIPS, map_cells
from cavmae_sync.stage import StageTruth
from cavmae_sync.training import load_run_or_weights
from cavmae_sync.weights import Provenance, save_pretrained
from cavmae_sync.weights.hub import BUNDLED_FOLDER, BUNDLED_NAME

_TRAINED_ON: Final = (
    "1,000 generated clips in which drawn objects sound in turn; it does not know the world, and what it "
    "says of real video means nothing"
)
_MEASURES: Final = ("both", "what", "when", "moment", "state")
_LIMITS: Final = """\
- On clips of its kind it knows *when* sound and picture belong together, and little of *what*: classes
  and some attributes. No rule that learns nothing, and no linear fit, knows either (rows below).
- Its cosine map is at chance. `map=masking` and `map=attention` hear: the own sound finds more than another.
- It has never seen a photograph or heard a recording."""


def results_text(numbers: Mapping[str, Any], maps: Mapping[str, float], *, map_chance: float) -> str:
    """Results of the card: limits, the model beside what could explain it, and its maps."""
    rows = numbers["knowledge"]["rows"]
    lines = ["| who looks | both | WHAT | WHEN | moment | equal states |", "|---|---:|---:|---:|---:|---:|"]
    chances = [100 * rows[0]["means"][measure]["chance"] for measure in _MEASURES]
    lines.append("| chance | " + " | ".join(f"{chance:.1f}" for chance in chances) + " |")
    lines += [_row(row["name"], [row]) for row in rows if row["group"] in ("model", "control")]
    for name, group in (("best of 48 rules, each column", "baseline"), ("best of 3 linear fits", "fitted")):
        lines.append(_row(name, [row for row in rows if row["group"] == group]))
    lines += [_row(f"truth: {row['name']}", [row]) for row in rows if row["group"] == "ceiling"]
    rules = [name.removesuffix(" mAP") for name in maps if name.endswith(" mAP")]
    of_maps = ["| map | own sound | sound of another class |", "|---|---:|---:|"]
    for rule in rules:
        own, other = maps[f"{rule} mAP"], maps[f"{rule} mAP, swapped sound"]
        of_maps.append(f"| {rule} | {100 * own:.1f} | {100 * other:.1f} |")
    return "\n\n".join(
        [
            _LIMITS,
            "First answers right, percent, means of both directions, 1,000 clips of the stage's variant "
            "`bind` with objects it never saw:",
            "\n".join(lines),
            f"Average precision of maps, percent, the first {NUM_MAP_CLIPS} of these clips; guessing has "
            f"{100 * map_chance:.1f}:",
            "\n".join(of_maps),
        ]
    )


def _row(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    best = [max(100 * row["means"][measure]["value"] for row in rows) for measure in _MEASURES]
    return f"| {name} | " + " | ".join(f"{value:.1f}" for value in best) + " |"


def main() -> None:
    """Write the folder of the bundled model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("numbers", type=Path, help="what evaluate retrieval --with-controls --json printed")
    parser.add_argument("--data", type=Path, required=True, help="the clips of these numbers, prepared")
    parser.add_argument("--stage", type=Path, required=True, help="folder of the stage they come from")
    arguments = parser.parse_args()
    model = load_run_or_weights(arguments.run)
    embedder = Embedder(model)
    provenance = Provenance(
        num_frames=NUM_FRAMES, licence="Apache-2.0", trained_on=_TRAINED_ON, proof=make_proof(embedder)
    )
    numbers = json.loads(arguments.numbers.read_text("utf-8"))
    clips, stage = PreparedDataset.open(arguments.data), StageTruth(arguments.stage)
    maps, reports = map_cells(embedder, clips, stage, on_progress=lambda *_: None)
    chance = reports["cosine, own sound"]["metrics"]["mean_average_precision"]["chance"]
    results = results_text(numbers, maps, map_chance=chance)
    save_pretrained(model, BUNDLED_FOLDER, provenance=provenance, results=results)
    card = BUNDLED_FOLDER / "README.md"
    text = card.read_text("utf-8").replace("org/name", BUNDLED_NAME)
    card.write_text(text.replace("# CAV-MAE Sync weights", f"# {BUNDLED_NAME}"), "utf-8")


if __name__ == "__main__":
    main()

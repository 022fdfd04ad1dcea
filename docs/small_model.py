r"""Puts the model that comes with the package into it: weights, card, and its numbers beside the baselines.

FRAMES="frame_pixels=96 sampling=uniform_center"
for SPLIT in train test; do
cavmae-sync stage $SPLIT --num-clips 1000 split=$SPLIT frame_pixels=96 frames_per_second=8
cavmae-sync prepare $SPLIT/clips --out data-$SPLIT --labels $SPLIT/labels.csv $FRAMES
done
cavmae-sync pretrain stage_sync_plus_base --data data-train --out run loop.num_steps=4000
cavmae-sync evaluate retrieval run --data data-test --stage test --train-data data-train --with-controls \
      --json > numbers.json
python docs/small_model.py run numbers.json
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cavmae_sync.embedding import Embedder
from cavmae_sync.exchange.proof import make_proof
from cavmae_sync.model import CAVMAESync
from cavmae_sync.paper import NUM_FRAMES
from cavmae_sync.training import load_run_or_weights
from cavmae_sync.weights import Provenance, save_pretrained
from cavmae_sync.weights.hub import BUNDLED_FOLDER, BUNDLED_NAME

_TRAINED_ON: Final = (
    "trained on 1,000 generated clips in which drawn objects sound in turn. It does not know the world: what "
    "it says of real video means nothing."
)
_MEASURES: Final = ("both", "what", "when", "moment", "state")


def numbers_table(numbers: Mapping[str, Any]) -> str:
    """Markdown table of the rows of a `--with-controls` report: the model, and what could explain it."""
    rows = numbers["knowledge"]["rows"]
    lines = ["| who looks | " + " | ".join(_MEASURES) + " |", "|---|" + "---:|" * len(_MEASURES)]
    for row in rows:
        values = [100 * row["means"][measure]["value"] for measure in _MEASURES]
        lines.append(f"| {row['name']} | " + " | ".join(f"{value:.1f}" for value in values) + " |")
    about = "Percent, means of both directions, 1,000 clips with objects it never saw."
    return f"{about}\n\n" + "\n".join(lines)


def main() -> None:
    """Write the folder of the bundled model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("numbers", type=Path, help="what evaluate retrieval --with-controls --json printed")
    arguments = parser.parse_args()
    model: CAVMAESync = load_run_or_weights(arguments.run)
    provenance = Provenance(
        num_frames=NUM_FRAMES,
        licence="Apache-2.0",
        trained_on=_TRAINED_ON,
        proof=make_proof(Embedder(model)),
    )
    numbers = json.loads(arguments.numbers.read_text("utf-8"))
    save_pretrained(model, BUNDLED_FOLDER, provenance=provenance, results=numbers_table(numbers))
    card = BUNDLED_FOLDER / "README.md"
    card.write_text(card.read_text("utf-8").replace("org/name", BUNDLED_NAME), "utf-8")


if __name__ == "__main__":
    main()

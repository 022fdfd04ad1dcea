"""Figure of `search_truth`: `python -m benchmarks.search_figure docs/results/search/truth.json FIGURE.png`.

Left, recall by what was asked with, model and untrained. Right, what share of the questions without an answer
passes a stated share: on the diagonal the probability holds, above it too much passes.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from cavmae_sync.figures.style import BLUE, SMALL, VERMILION, label, new_figure, save_figure

#: Rows of the left panel, and lines of the right one.
ROWS: Final = (
    "sound of 10 s, by picture",
    "sound of 2 s, by picture",
    "sound of 2 s, by sound",
    "picture, by picture",
    "video of 2 s, by both",
)
COLOURS: Final = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00")


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw both panels."""
    figure = new_figure(width_inches=10.5, height_inches=3.8)
    left, right = figure.subplots(1, 2)
    for who, shift, colour in (("model", -0.18, BLUE), ("untrained", 0.18, VERMILION)):
        values = [found[who][row]["recall_at_1"] for row in ROWS]
        places = [number + shift for number in range(len(ROWS))]
        shares = [100 * each["value"] for each in values]
        errors = [
            [100 * (each["value"] - each["low"]) for each in values],
            [100 * (each["high"] - each["value"]) for each in values],
        ]
        left.barh(places, shares, 0.34, xerr=errors, color=colour, label=who, error_kw={"lw": 1})
    left.set_yticks(range(len(ROWS)), ROWS, fontsize=SMALL)
    left.invert_yaxis()
    left.set_xlim(0, 105)
    left.legend(fontsize=SMALL, frameon=False, loc="upper right", bbox_to_anchor=(1.0, 0.8))
    label(left, x="moments found first, %", title="Asked by, ordered by")
    for row, colour in zip(ROWS, COLOURS, strict=True):
        passed = found["model"][row]["falsely_accepted"]
        stated = sorted(100 * (1 - float(cutoff)) for cutoff in passed)
        shares = [100 * passed[f"{1 - each / 100:g}"]["value"] for each in stated]
        right.plot(stated, shares, color=colour, marker="o", ms=4, label=row)
    right.plot([0, 100], [0, 100], color="grey", lw=1, ls=":")
    right.set_xlim(0, 55)
    right.set_ylim(0, 75)
    right.legend(fontsize=SMALL, frameon=False, loc="upper left")
    label(
        right, x="stated share of strangers, %", y="share that passes, %", title="Questions without an answer"
    )
    save_figure(figure, path)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2]))

"""Writes the pages of results that come from stored tables.

    python docs/results_pages.py

Reads docs/results/*.json, which `cavmae-sync reproduce` wrote as TABLE.json, and writes results-paper.md,
results-sync-plus.md and a figure of each table. Only the heads of the pages are written by hand, below.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cavmae_sync.figures import save_figure
from cavmae_sync.recipes.tables.own_tables import OWN_TABLES
from cavmae_sync.recipes.tables.page import claims_overview, count_verdicts, section_figure, table_section
from cavmae_sync.recipes.tables.paper_tables import TABLES

DOCS: Final = Path(__file__).parent
STORED: Final = DOCS / "results"
FIGURES: Final = DOCS / "images" / "results"

_PAPER: Final = """# Results: the paper on trial

This page is for researchers who ask which claims of the paper hold for small models on generated clips. It is
written by `python docs/results_pages.py` from the files in `docs/results/`.

Small twins of the paper's recipes learn from generated clips of [`bind`](stage.md), in which no rule without
learning finds what belongs together, and are measured on clips of other objects ([Reproduce](reproduce.md)).
A claim is *confirmed here* if the difference over paired seeds has a 95 % interval (Student's t) above zero,
and the better row is above its untrained model. *Not confirmed here* says what was measured instead. *Cannot
be tested here*: a row is missing. Each row has its own model before training beside it, measured in the same
way; rows whose models begin alike share one. Chance of a moment is 6.25 % with 16 frames, 10 % with 10. The
*median percentile* is the share of the other clips that the right sound is ahead of, in the median of all
pictures: 50 % is chance. None of this says what the full sizes do on real video.

What to take from it:

- What holds: comparing moment by moment and taking the mean of the diagonal (Table 11), 16 frames in
  evaluation (Table 5; more of them in training show no difference), a global token and both modalities
  for a probe (Tables 7 and 10), and the method against all rows of CAV-MAE at equal cost, in retrieval
  (Tables 1 and 4) and by a probe (Table 2; also by what training adds).
- Too long a sound is worse (Figure 4, 8 against 4 s), a shorter one shows no difference (1 s). On the stage
  another object sounds every 0.5 to 0.9 s, and 8 s of the paper are 1 s for a twin: it is the stage's pace.
- The lower a mask ratio, the better the retrieval (Table 8); with nothing hidden from the contrast it is
  four times as good ([beyond the paper](results-sync-plus.md)).
- Picture to sound is easier (Table 1) because the loss asks in that direction alone: trained in both, the
  gap is gone ([beyond the paper](results-sync-plus.md)).
- The paper's map, by cosine, is at chance in every row of every table, and asking by another sound changes
  nothing. Maps by masking and attention do find what sounds ([Results](results.md#maps-by-masking)).
- States over time are no better than those of the untrained model, and worse than those of loudness (Figure
  6).
- The order among CAV-MAE's rows of the ladder (Table 4) is not the paper's. They hear the whole clip, a
  step of them costs up to nine times as much, and at equal cost each sees the clips 12 times. In R@1 all are
  at the floor. By the median percentile all have learned something of *what* sounds (61 to 68 %, untrained
  50), and the rows lie within 8 points of each other: larger batches, which make fewer steps of the same
  epochs, gain nothing. Three seeds tell differences of 5 to 12 points there. Two linear fits of what is seen
  and heard, on the same clips, find more of *what* than each of these rows (83 and 84 % in both directions;
  `sync_base` has 85 from picture to sound and 54 back, these rows 61 to 68 and 52 to 54); the best of 48
  rules that learn nothing has 54 %.
- At the same epochs the two ends of the ladder know different things. After 12 epochs Scale+++ and
  `sync_base` are alike. After 120, which cost Scale+++ ten times as much (one seed), it knows more of *what*
  (WHAT 1.4 %, `sync_base` 0.3; median percentile 96) and nothing of *when* (0.0 and 27 %). R@1 is 1.8 against
  20 %, because on `bind` the moments tell clips apart, and the classes of a clip are shared by 80 others.
- An untrained model already gives a probe much, and how much depends on what is read. Sound alone has 26 %
  untrained, pictures alone 11, both 29; trained 53, 28 and 60 (Table 10). So both are learned, though
  pictures alone are no better than an untrained model of both. Of tokens, registers begin lowest (21 %,
  patches 28, global 29): what training adds is most in the global token (31 points), less in registers (25),
  least in patches (12). In that the order of Table 12 is the paper's.
- Of the 39 points by a probe between Scale+++ and Sync (Table 2) 11 are the instrument, and 28 (19 to 36) are
  training: untrained, a CAV-MAE with the mean of its patches has 18 %, `sync_base` with its global token 29.
  At equal cost the rows of CAV-MAE have 15 to 23 %, -3 to 6 points from their untrained models. Lower
  learning rates of the probe did not help them.
"""
_PLUS: Final = """# Results: beyond the paper

This page is for everybody who trains: what each part of `sync_plus_base` gives over `sync_base`. It is
written by `python docs/results_pages.py` from the files in `docs/results/`. How rows are trained and
measured: [Results: the paper on trial](results-paper.md).

On the 1,000 test clips of `bind`, what could explain such numbers has little: the best of 48 rules that learn
nothing 0.4 % of R@1 and 6.6 % of the moments, the best linear fit 1.5 and 6.4 %. With the frames of another
clip the model in the package, a `sync_plus` of 4,000 steps, has 0.0 and 6.3 %; the truth has 100 and 25.0 %
([how it was made](weights.md#the-model-in-the-package)).

What to take from it:

- Hiding less from the contrast gives most: with nothing hidden R@1 is four times that of `sync_base` (20 to
  88 %, sound to picture 1 to 73), with half hidden 79 and 45.
- Comparing moments of one clip, inside it or far apart, gives some points from picture to sound (7.5, 2.1 to
  12.8, and 6.8, 1.7 to 11.8, five seeds) and nothing back.
- A learned temperature and averaged weights give nothing (all intervals within 3 points of R@1). Several
  moments of a clip without comparing them, and registers in the joint layer, give nothing that three seeds
  tell (-2.0, -19 to 15, and -4.5, -12 to 3).
- A contrast with patches brings sound to picture up (1 to 10 %); what it costs from picture to sound three
  seeds do not tell (-9.7, -24 to 5).
- All together have 92 % both ways; WHAT, the probe and the maps rise too. Above nothing hidden alone three
  seeds tell the moments (1.6, 0.7 to 2.5), not the recalls (4.6, -7 to 17, and 19.2, -0.2 to 39).
- What TG-DP changes at once, apart, at equal cost: both directions bring sound to picture up to picture to
  sound (0.9 to 18 %) and leave the latter as it is (20 %); a second pass with half hidden brings picture to
  sound to 36 % and sound to picture hardly up (3 %); together they have 37 and 35 %. Neither does the other's
  work.
- On real pictures and sounds whose objects are known, nothing hidden and both directions raise R@1 from 1 to
  37 %, and `sync_plus_base` to 40 ([Results](results.md#real-pictures-and-sounds)).
"""


def stored_tables() -> list[dict[str, Any]]:
    """Stored tables in the order of the paper; several settings of one table stand one behind the other."""
    stored = [
        json.loads(path.read_text("utf-8")) | {"file": path.stem} for path in sorted(STORED.glob("*.json"))
    ]
    found = [table for table in stored if "table" in table]  # other results lie beside them
    return sorted(found, key=lambda table: list(TABLES).index(table["table"]))


def page(head: str, tables: Sequence[dict[str, Any]]) -> str:
    """A whole page."""
    parts = [head]
    if counts := count_verdicts(tables):
        parts.append(
            "Claims: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + ".\n"
        )
        parts.append(claims_overview(tables) + "\n")
    if not tables:
        parts.append("Nothing is stored yet.\n")
    parts += [
        table_section(table, page=tables, figure=f"images/results/{table['file']}.png") for table in tables
    ]
    return "\n".join(parts)


def main() -> None:
    """Write both pages and all figures."""
    tables = stored_tables()
    FIGURES.mkdir(parents=True, exist_ok=True)
    for table in tables:
        save_figure(section_figure(table), FIGURES / f"{table['file']}.png")
    own = [table for table in tables if table["table"] in OWN_TABLES]
    papers = [table for table in tables if table["table"] not in OWN_TABLES]
    (DOCS / "results-paper.md").write_text(page(_PAPER, papers), "utf-8")
    (DOCS / "results-sync-plus.md").write_text(page(_PLUS, own), "utf-8")


if __name__ == "__main__":
    main()

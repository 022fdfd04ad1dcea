"""Words that people may write on the command line, apart from what they choose between.

They stand here, and not beside what they name, so that `--help` need not load torch.
"""

from typing import Literal

#: Precision of matrix products.
Precision = Literal["float32", "bfloat16", "float16"]

#: What stands for a segment or a frame when they are compared.
Representation = Literal["global", "patch_mean"]

#: How the similarities of all pairs of frames and segments of two clips become one score (spec 4.1).
AggregationName = Literal["diagonal_mean", "diagonal_max", "block_mean", "block_max"]

#: Which of the places shared with equal scores a query's own clip takes.
TieRule = Literal["mean", "optimistic", "pessimistic"]

#: "official" counts ties and NaN as the published code does, wrongly; for parity checks only.
Counting = TieRule | Literal["official"]

#: Which part of the generated objects may appear.
Split = Literal["train", "validation", "test"]

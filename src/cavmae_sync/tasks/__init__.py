"""Tasks of the paper, each in a room of its own: what it computes, how it is measured, and its figures.

No task imports another. Shared by all: `report` (metrics with intervals and chance), `controls` (the
untrained model) and `card_results` (a report as Markdown).
"""

from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.report import Report, Value

__all__ = [
    "Report",
    "Value",
    "untrained",
]

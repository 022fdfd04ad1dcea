"""A dataset, a model and a metric in; a report and pictures out."""

from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.report import Report, Value

__all__ = [
    "Report",
    "Value",
    "untrained",
]

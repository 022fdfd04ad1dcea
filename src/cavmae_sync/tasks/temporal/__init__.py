"""When what is heard or seen changes: the paper's temporal segmentation."""

from cavmae_sync.tasks.temporal.evaluate import TemporalReport, TemporalTask, evaluate_temporal

__all__ = [
    "TemporalReport",
    "TemporalTask",
    "evaluate_temporal",
]

"""What is heard and seen: heads on features of the model, fine-tuning, and naming what is in a video."""

from cavmae_sync.tasks.classification.evaluate import (
    ClassificationConfig,
    ClassificationReport,
    ClassScore,
    classification_report,
)

__all__ = [
    "ClassScore",
    "ClassificationConfig",
    "ClassificationReport",
    "classification_report",
]

"""Classification: heads on features of the model (probing), fine-tuning, and classes of a video over time.

In: a model and labelled clips, features from a file, or a video. Out: a `Probe` and a `ClassificationReport`,
or `VideoClasses`.

Trained and measured (`probe`):

- `config`: configuration of a run; `checks`: problems found before anything is computed;
- `features`: feature vectors of a model; `feature_cache`: the same in files, computed once; `feature_files`:
  features of another model, from a file; `feature_sources`: batches of features for the training;
- `head_training`: the training loop of a head;
- `probe_training`: choice of the learning rate, training, measurement and writing, of `probe_model` (features
  of a model) and `probe_feature_file` (features of a file);
- `probe`: the trained head with its classes, read and written;
- `evaluate`: scores and truth to a report; `controls`: scores that need no model.

Shown (`classify`): `classify_video` applies a probe to a video; `video_classes` is its result.

`figures`: scores of classes, confusions, training curves, and classes over time.
"""

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

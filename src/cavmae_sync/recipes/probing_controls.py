"""Scores of a probe that need no model.

N clips, C classes.
"""

from collections.abc import Mapping

from cavmae_sync.data.targets import LabelledClips, class_names, label_vectors
from cavmae_sync.evaluation.classification import ClassificationReport, classification_report
from cavmae_sync.recipes.probing_config import ProbeConfig


def control_reports(
    config: ProbeConfig, *, train: LabelledClips, test: LabelledClips
) -> Mapping[str, ClassificationReport]:
    """What needs no model.

    Returns:
        `oracle`, the truth as its own prediction; and `class_frequency`, where every test clip's score for a
        class is its share of the training clips.
    """
    classes = class_names(train)
    is_true_NC = label_vectors(test, classes)
    share_C = label_vectors(train, classes).double().mean(dim=0)
    scores = {"oracle": is_true_NC.double(), "class_frequency": share_C.expand(len(test), -1)}
    return {
        name: classification_report(
            scores_NC,
            is_true_NC,
            classes=classes,
            is_single_label=config.classifier.loss == "ce",
            num_bootstrap=config.num_bootstrap,
            seed=config.seed,
            config={"scores": name},
            weights="none",
            clip_list=test.list_sha256,
        )
        for name, scores_NC in scores.items()
    }

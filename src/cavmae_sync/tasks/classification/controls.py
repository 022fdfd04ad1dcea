"""Controls of a probe: scores that need no model, and what a kill left of one that is trained.

N clips, C classes.
"""

from collections.abc import Mapping
from pathlib import Path

from cavmae_sync.data.loading.targets import LabelledClips, class_names, label_vectors
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.classification.evaluate import ClassificationReport, classification_report


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
            config.report_config(),
            classes=classes,
            is_single_label=config.classifier.loss == "ce",
            made_with={"scores": name},
            weights="none",
            clip_list=test.list_sha256,
        )
        for name, scores_NC in scores.items()
    }


def begin_again(out: Path, config: ProbeConfig, *, last_file: str) -> None:
    """Let a control be made again that was complete when its command was killed.

    Controls are made before what they belong to: only that counts as done. The same words, the same files.

    Args:
        out: Folder of the control.
        config: What it is made by; one of another configuration is left alone, and refused.
        last_file: Name of the file that says that it is complete.
    """
    stored = out / "config.json"
    if stored.exists() and stored.read_text("utf-8") == config.model_dump_json(indent=2) + "\n":
        (out / last_file).unlink(missing_ok=True)

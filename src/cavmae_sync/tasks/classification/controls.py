"""Controls of a probe: scores that need no model, and restarts of controls that are trained.

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
    """Reports of controls that need no model.

    Returns:
        `oracle`, the truth as its own prediction; and `class_frequency`, where the score of every test clip
        for a class is the share of the training clips that belong to it.
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
    """Remove the last file of a complete control, so that the same command can make it again after a kill.

    Controls are trained before the probe, and only the probe's last file says that the command is complete.

    Args:
        out: Folder of the control.
        config: Its configuration. A control of another configuration is left alone, and refused later.
        last_file: Name of the file that is written last.
    """
    stored = out / "config.json"
    if stored.exists() and stored.read_text("utf-8") == config.model_dump_json(indent=2) + "\n":
        (out / last_file).unlink(missing_ok=True)

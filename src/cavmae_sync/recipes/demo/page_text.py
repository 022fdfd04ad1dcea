"""Sentences of a demo's page about its numbers and figures; they follow from the numbers alone."""

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.metrics.moments import moment_accuracy, moment_choices, own_moments
from cavmae_sync.metrics.synchrony import has_diagonal, shift_means
from cavmae_sync.tasks.retrieval.knowledge import Knowledge, Row
from cavmae_sync.tasks.retrieval.matches import Direction

NAMES: Final[Mapping[Direction, str]] = {
    "audio_to_visual": "sound finds picture",
    "visual_to_audio": "picture finds sound",
}
#: Standard deviations above other cells from which the eye sees a diagonal.
_VISIBLE_DEVIATIONS: Final = 2.0


def percents(fractions: Sequence[float]) -> str:
    """Fractions as text, for example "26 % and 20 %"."""
    return " and ".join(f"{fraction:.0%}".replace("%", " %") for fraction in fractions)


#: What the measures are, for a reader who meets them here.
MEASURES_TEXT: Final = (
    "Both: the first answer among all clips. WHAT: the same with the frames of each clip in another order, "
    "so that only what is seen and heard can tell. WHEN: the same without the mean of each clip, so that "
    "only the time of changes can tell. Moment: which sound of one clip belongs to a frame of it. All "
    "numbers are means of both directions, and only those above every rule that learns nothing speak for "
    "the model."
)


def result_text(known: Knowledge, *, num_train: int, num_test: int) -> str:
    """Text about the recall of the model, beside guessing and the best rule that learns nothing.

    Args:
        known: Numbers of the model and of what stands beside it.
        num_train: Clips that the model learned from.
        num_test: Clips of the gallery.
    """
    model, rule = known.model, known.best("both", "baseline")
    first = (
        f"The model learned from {num_train} clips without any label. Then it looked for the picture of a "
        f"sound among {num_test} other clips, and for the sound of a picture. Its first answer is right in "
        f"{percents(_both(model))} of the cases; guessing is right in {100 / num_test:.1f} %."
    )
    if rule is None:
        return first
    is_beaten = rule.means["both"].value >= model.means["both"].value
    return f"{first} A rule that has learned nothing ({rule.name}) is right in {percents(_both(rule))}. " + (
        "So the first number does not show that the model knows what belongs together."
        if is_beaten
        else "What the model has above both, it learned."
    )


def _both(row: Row) -> list[float]:
    return [row.values[f"both/{direction}"].value for direction in NAMES]


def diagonal_text(audio_NTD: Tensor, visual_NTD: Tensor) -> str:
    """Text about the diagonal of the first clip, and of all clips.

    There is a diagonal if sound and picture fit better unshifted than with any shift, which changes the time
    alone. It is clear to the eye if most rows have their highest cell on it.
    """
    num_clips, num_frames = audio_NTD.shape[:2]
    if num_frames < 2:
        return "With one frame a clip there is no other moment to compare with."
    means_NT = shift_means(audio_NTD, visual_NTD)
    choices_NTT = moment_choices(audio_NTD, visual_NTD)
    best_N = moment_accuracy(choices_NTT, own_moments(num_clips, num_frames))
    own, shifted = float(means_NT[0, 0]), float(means_NT[0, 1:].max())
    rows = f"{round(float(best_N[0]) * num_frames)} of {num_frames} sounds fit their own frame best"
    if not has_diagonal(means_NT)[0]:
        found = (
            f"Here it is not: its mean is {own:.3f}, but {shifted:.3f} with the sound shifted by "
            f"{int(means_NT[0, 1:].argmax()) + 1} frames. For this clip the model does not tell when."
        )
    else:
        by = (
            f"its mean is {own:.3f}, and at most {shifted:.3f} with the sound shifted by any number of frames"
        )
        is_clear = float(best_N[0]) > 1 / 2
        found = f"Here it is: {by}; {rows}." if is_clear else f"Here it is faint: {by}, but only {rows}."
    return (
        f"{found} In all test clips together {percents([float(best_N.mean())])} of the sounds do; guessing "
        f"gives {percents([1 / num_frames])}."
    )


def gallery_text(similarity_QG: Tensor) -> str:
    """Text about how far own pairs stand out from others, in standard deviations of the others."""
    is_own = torch.eye(len(similarity_QG), dtype=torch.bool)
    own, others = similarity_QG[is_own], similarity_QG[~is_own]
    above = float((own.mean() - others.mean()) / others.std().clamp_min(1e-9))
    seen = (
        "so the diagonal can be seen." if above >= _VISIBLE_DEVIATIONS else "too little to see it as a line."
    )
    return f"On the average own pairs are {above:.1f} standard deviations closer than other pairs: {seen}"

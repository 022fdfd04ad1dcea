"""Choice of a few clips of each class, for retrieval lists: a greedy rule."""

from collections import Counter
from collections.abc import Sequence


def choose_per_class(labels: Sequence[Sequence[str]], *, per_class: int) -> list[int]:
    """Choose clips so that each class has about `per_class` of them.

    The clips are visited in the order of the file. A clip is taken if at least one of its labels was counted
    fewer than `per_class` times; then all its labels are counted. So a class that often occurs together with
    rarer ones gets more clips, a class with too few clips gets all of them, and a clip without labels is
    never taken.

    Args:
        labels: Labels of each clip, in the order of the file.
        per_class: At least 1.

    Returns:
        Numbers of the clips taken, in ascending order.

    Source:
        A helper of the development version of CAV-MAE Sync. It is not known whether the published list of
        AudioSet was made like this. The list of VGGSound has exactly 5 clips of each class, as this rule
        gives.
    """
    counts: Counter[str] = Counter()
    taken: list[int] = []
    for number, names in enumerate(labels):
        if any(counts[name] < per_class for name in names):
            taken.append(number)
            counts.update(names)
    return taken

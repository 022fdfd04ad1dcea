"""A few clips of each class, for retrieval: the documented greedy rule."""

from collections import Counter
from collections.abc import Sequence


def choose_per_class(labels: Sequence[Sequence[str]], *, per_class: int) -> list[int]:
    """Which clips a list of about `per_class` clips of each class takes.

    Clips are looked at in the order of their file. A clip is taken if at least one of its labels has been
    counted fewer than `per_class` times; then all its labels are counted. So a class that comes together with
    rarer ones ends up with more, one with too few clips has fewer, and a clip without labels is never taken.

    Args:
        labels: Labels of each clip, in the order of the file.
        per_class: At least 1.

    Returns:
        Numbers of the clips taken, ascending.

    Source:
        Spec 4.1, "How the lists were made", and 8: a helper of the development version. Whether the published
        list of AudioSet was made like this is not known; VGGSound's has exactly 5 of each class, one label
        each, as this rule gives.
    """
    counts: Counter[str] = Counter()
    taken: list[int] = []
    for number, names in enumerate(labels):
        if any(counts[name] < per_class for name in names):
            taken.append(number)
            counts.update(names)
    return taken

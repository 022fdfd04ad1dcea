"""The interface of a pack, which is where the objects of a stage come from, and the split of its objects.

Shape letters: H W pixels, S samples.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.choices import Split
from cavmae_sync.errors import DatasetError

#: Splits of every twenty objects of a class: 14 train, 3 test, 3 validation. The first three go one to each
#: split, so that a class with few objects is in all of them.
_FIRST_THREE: Final[tuple[Split, ...]] = ("train", "test", "validation")
_OTHERS: Final[tuple[Split, ...]] = ("train",) * 13 + ("test", "validation") * 2
_DEAL: Final = _FIRST_THREE + _OTHERS


@dataclass(frozen=True, kw_only=True, slots=True)
class StageObject:
    """An object that can appear. It always looks and sounds the same.

    Attributes:
        name: Unique in its pack.
        class_name: Its class.
        size: In [0, 1]; how large it appears. In the procedural pack, larger objects sound lower.
        warmth: In [0, 1] or None; from blue with a dull sound to red with a bright sound.
        texture: In [0, 1] or None; from few stripes and slow modulation to many stripes and fast modulation.
        split: The only split it appears in, where the pack says so; None leaves it to a hash of its name.
    """

    name: str
    class_name: str
    size: float
    warmth: float | None = None
    texture: float | None = None
    split: Split | None = None

    def __post_init__(self) -> None:
        for name in ("size", "warmth", "texture"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} of {self.name} is {value}, but must lie in [0, 1]")


class Pack(Protocol):
    """A collection of objects with a look and a sound each."""

    @property
    def fingerprint(self) -> str:
        """Text that changes with the look or sound of any object; a stage refuses another fingerprint."""
        ...

    @property
    def objects(self) -> Sequence[StageObject]:
        """All objects, always in the same order."""
        ...

    @property
    def unknown_classes(self) -> frozenset[str]:
        """Classes reserved for stages of `classes=unknown`."""
        ...

    def draw(self, thing: StageObject) -> NDArray[np.uint8]:
        """Image of an object: (H, W, 4) uint8 RGBA with straight alpha, cropped to what is visible."""
        ...

    def sound(
        self, thing: StageObject, *, num_samples: int, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Sound of an object: (S,) float32 at 16 kHz, any scale, loud from its first sample on."""
        ...

    def backdrop(self, *, split: Split, pixels: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Background of a clip: (H, W, 3) uint8, `pixels` high and wide. Splits share no photograph."""
        ...


@lru_cache(maxsize=16)
def objects_by_class(pack: Pack, *, split: Split, unknown: bool) -> Mapping[str, Sequence[StageObject]]:
    """Objects that may appear in a split, by class.

    Objects whose pack does not name their split are dealt to the splits within each class, in the order of a
    hash of their names. No seed and no clip number takes part, so the splits of stages with different seeds
    are disjoint too.

    Args:
        pack: Source of the objects.
        split: Part of the objects.
        unknown: True for the reserved classes only (all their objects), False for all other classes.

    Raises:
        DatasetError: The split has no object.
    """
    by_class: dict[str, list[StageObject]] = defaultdict(list)
    for thing in pack.objects:
        if (thing.class_name in pack.unknown_classes) == unknown:
            by_class[thing.class_name].append(thing)
    dealt = {name: [t for t, s in deal(things) if s == split] for name, things in sorted(by_class.items())}
    found = {name: things for name, things in dealt.items() if things}
    if not found:
        kind = "reserved" if unknown else "ordinary"
        raise DatasetError(
            f"The pack has no object for split {split!r} ({len(by_class)} {kind} classes, "
            f"{sum(map(len, by_class.values()))} objects). A class needs 1 object for train, 2 for test and "
            f"3 for validation: add objects to its classes."
        )
    return found


def deal(things: Iterable[StageObject]) -> list[tuple[StageObject, Split]]:
    """Objects of one class with the split of each, in the order of a hash of their names."""
    ordered = sorted(things, key=lambda thing: hashlib.sha256(thing.name.encode()).digest())
    return [(thing, thing.split or _DEAL[position % len(_DEAL)]) for position, thing in enumerate(ordered)]

"""What a benchmark is made of: parts, their variants, and what one variant has to do.

A part measures one thing in several variants. Its first variant is the textbook version of the same
mathematics; the others are divided into it. Every variant runs in a process of its own, so that settings of
a process (threads, allocator, kernels) and peak memory belong to it alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Any = TypeVar("_Any")

#: Arrays that all variants of a part must agree on; rows are compared by angle, all numbers by difference.
Answer = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a run was asked for.

    Attributes:
        folder: Temporary folder of the run, shared by its processes.
        device: Where models compute: cpu, cuda, mps.
        threads: Threads of the processes that compute.
        quick: Few and small repetitions: to see that everything works, not to measure.
    """

    folder: Path
    device: str
    threads: int
    quick: bool

    def pick(self, full: _Any, quick: _Any) -> _Any:
        """One of two values: the first for a full run, the second for a quick one."""
        return quick if self.quick else full


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What the process of a variant has made ready.

    Attributes:
        repeat: One repetition, which is timed. It may return numbers by name, measured by itself.
        units: How many clips, steps or pairs one repetition does.
        answer: What came out, to be compared with the textbook; None where a variant has no textbook.
        operations: Floating point operations that one repetition needs, counting a product and a sum as two
            and equal windows once; None where arithmetic does not dominate.
        precision: Of the products that `operations` counts.
        warm_up: Done once before the first repetition, not timed; None repeats once.
        close: Done at the end.
    """

    repeat: Callable[[], Mapping[str, float] | None]
    units: float = 1.0
    answer: Callable[[], Answer] | None = None
    operations: float | None = None
    precision: str = "float32"
    warm_up: Callable[[], object] | None = None
    close: Callable[[], object] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One way to do a part's work.

    Attributes:
        name: In tables; the first variant of a part is its baseline.
        make: Called in the variant's own process; a function of a module.
        rounds: Repetitions of a full run; None takes the part's.
        target: Ratio to the baseline that is aimed at.
        precision: Of its products. Where they are slower than those of float32,
        rounds_where_slow: it makes so many rounds; 0 leaves it out, with that reason.
        is_set_up: Whether its process is set up as our commands set theirs: the C library keeps freed
            memory, and float32 products are done in the way that was measured to be faster.
    """

    name: str
    make: Callable[[Setting], Work]
    rounds: int | None = None
    target: float | None = None
    precision: str = "float32"
    rounds_where_slow: int = 1
    is_set_up: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A number that a variant measures itself and that has an aim.

    Attributes:
        variant: Name of the variant.
        number: Name among those that its repetition returns, or "seconds".
        most: What it should not exceed.
        says: The number in words.
    """

    variant: str
    number: str
    most: float
    says: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing that is measured.

    Attributes:
        name: On the command line.
        title: What is measured, in words.
        unit: What is counted: clip, step, pair.
        variants: The ways to do it; the first is the baseline.
        rounds: Repetitions of a full run; a quick run makes one.
        prepare: Makes what the variants share, in a process of its own.
        is_alone: One process at a time, started anew for every repetition: for what would not fit into
            memory side by side.
        products: Precisions whose product rate is measured in turn with the variants.
        limits: Numbers with an aim besides the ratio.
        tolerance: Largest 1 - cosine to the textbook's answer; more is a failure, not a ratio.
        note: What a reader must know.
    """

    name: str
    title: str
    unit: str
    variants: tuple[Variant, ...]
    rounds: int = 5
    prepare: Callable[[Setting], None] | None = None
    is_alone: bool = False
    products: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = field(default=())
    tolerance: float = 1e-3
    note: str = ""

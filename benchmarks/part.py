"""Parts of a benchmark, their variants, and the work of a variant.

A part measures one thing in several variants. Its first variant is the textbook version of the same
mathematics, and the time of the others is compared with it. Every variant runs in a process of its own, so
that settings of a process (threads, allocator, kernels) and peak memory belong to it alone.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Any = TypeVar("_Any")

#: Arrays that all variants of a part must agree on; rows are compared by their angle, numbers by difference.
Answer = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Settings of a run.

    Attributes:
        folder: Temporary folder of the run, shared by its processes.
        device: Device of models: cpu, cuda, mps.
        threads: Threads of the processes that compute.
        quick: Whether repetitions are few and small: to see that everything works, not to measure.
        clock: Clock of repetitions, in seconds.
    """

    folder: Path
    device: str
    threads: int
    quick: bool
    clock: Callable[[], float] = time.perf_counter

    def pick(self, full: _Any, quick: _Any) -> _Any:
        """One of two values: the first for a full run, the second for a quick one."""
        return quick if self.quick else full


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Work of a variant, prepared in its process.

    Attributes:
        repeat: One repetition, which is timed. It may return numbers by name that it measured itself.
        units: Clips, steps or pairs of one repetition.
        answer: Result to compare with the textbook version; None if there is none.
        operations: Floating point operations that one repetition needs, counting a product and a sum as two
            and equal windows once; None where arithmetic does not dominate.
        precision: Precision of the products that `operations` counts.
        warm_up: Called once before the first repetition, not timed; None repeats once.
        close: Called at the end.
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
        name: Name in tables; the first variant of a part is its baseline.
        make: Function of a module, called in the variant's own process.
        rounds: Repetitions of a full run; None takes the part's.
        target: Ratio to the baseline that is aimed at.
        precision: Precision of its products.
        rounds_where_slow: Rounds if these products are slower than those of float32 here; 0 leaves the
            variant out and gives that reason.
        is_set_up: Whether its process has the settings of our commands: the C library keeps freed memory, and
            float32 products are computed as the processor does them best.
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
    """Aim for a number that a variant measures itself.

    Attributes:
        variant: Name of the variant.
        number: Name of the number among those that its repetition returns, or "seconds".
        most: Largest value that meets the aim.
        says: Description of the number.
    """

    variant: str
    number: str
    most: float
    says: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Part of the benchmark: one thing that is measured.

    Attributes:
        name: Name on the command line.
        title: Description.
        unit: Unit that is counted: clip, step, pair.
        variants: Ways to do it; the first is the baseline.
        rounds: Repetitions of a full run; a quick run makes one.
        prepare: Makes the inputs that variants share, in a process of its own.
        is_alone: Whether one process runs at a time, started for every repetition: for variants that do not
            fit into memory side by side.
        products: Precisions whose product rate is measured in turn with the variants.
        limits: Numbers with an aim besides the ratio.
        tolerance: Largest accepted 1 - cosine to the textbook's answer; more is a failure, not a ratio.
        is_one_thread: Whether variants have one thread each, timed by the processor seconds of their process:
            what counts where independent runs share the cores.
        note: Note for the reader.
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
    is_one_thread: bool = False
    note: str = ""

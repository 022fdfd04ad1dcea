"""Options that several commands share: name, kind, default and help of each stand here, once.

A single option is an annotated type. Options that go together are a class: a command that has a parameter of
it has its fields as options (`Parameter(name="*")` makes them flat: `--device`, not `--compute.device`). Help
of a field that is inherited stands with its type: cyclopts 4 does not look for it in the base class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import Engine, Precision, Representation
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cavmae_sync.work import RayCluster, Share

#: A switch: there is no --no-NAME, and no default to show.
Switch = Annotated[bool, Parameter(negative="", show_default=False)]

#: A count of things, at least one.
Count = Annotated[int, Parameter(validator=Number(gte=1))]

#: A length or rate.
Positive = Annotated[float, Parameter(validator=Number(gt=0))]

RunOrWeights = Annotated[
    Path,
    Parameter(
        help="Folder of a run, a weights file, organisation/name on a hub, or small, which is in the package."
    ),
]
Video = Annotated[Path, Parameter(help="Video file with sound, of any length.")]

#: Words of a command that has no configuration of its own.
ModelWord = Annotated[
    str,
    Parameter(
        help="`key=value` words for what the weights do not show, for example `registers_in_joint=true` or "
        "`inputs.alignment=valid`."
    ),
]
#: Words of a command whose own ones are listed in its docstring.
Word = Annotated[
    str,
    Parameter(
        help="`key=value` words: those above, and words for what the weights do not show, for example "
        "`registers_in_joint=true`."
    ),
]

NumClips = Annotated[Count | None, Parameter(help="Take only the first clips of the dataset.")]
Stage = Annotated[Path, Parameter(help="Folder of the generated stage that the dataset was made from.")]
WorkerProcesses = Annotated[
    int | None,
    Parameter(
        validator=Number(gte=0),
        help="Processes that read videos; 0 reads in this one. One per core unless given.",
    ),
]
ReaderProcesses = Annotated[
    int, Parameter(validator=Number(gte=0), help="Processes that read clips; 0 reads in this one.")
]
MaxRejectedPercent = Annotated[
    float, Parameter(help="Fail when more than this share of the files is rejected.")
]
Overwrite = Annotated[Switch, Parameter(help="Replace the files that are there already.")]
Json = Annotated[Switch, Parameter(name="--json", help="Print the result as one JSON object.")]
Jobs = Annotated[
    str,
    Parameter(
        help='Trainings side by side, each on one thread in a process of its own: a number, or "auto" for as '
        "many as there are cores and memory for. Small models get more done this way than one after another "
        "on all threads."
    ),
]
Device = Annotated[str | None, Parameter(help="cpu, cuda or mps; the best one of this machine unless given.")]


def num_jobs(jobs: str) -> int | None:
    """Number of --jobs; None for "auto".

    Raises:
        ConfigError: It is neither "auto" nor a number of at least 1.
    """
    if jobs == "auto":
        return None
    if not jobs.isdecimal() or int(jobs) == 0:
        raise ConfigError(f'--jobs {jobs!r} must be "auto" or a number of at least 1.')
    return int(jobs)


def seed_numbers(words: str) -> list[int]:
    """Numbers of --seeds.

    Raises:
        ConfigError: They are not whole numbers separated by commas.
    """
    try:
        return [int(word) for word in words.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--seeds {words!r} must be whole numbers separated by commas, like 0,1,2."
        ) from error


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeOptions:
    """Device and precision of a model.

    Attributes:
        precision: Type of numbers.
        device: Where it computes.
    """

    precision: Annotated[Precision, Parameter(help="Precision of matrix products.")] = "float32"
    device: Device = None

    def settings(self) -> dict[str, Any]:
        """Arguments of `Embedder`."""
        return {"precision": self.precision, "device": self.device}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeOptions(ComputeOptions):
    """Device, precision and representation with which a model turns clips into vectors.

    Attributes:
        representation: Which vector stands for a frame or segment.
    """

    representation: Annotated[
        Representation,
        Parameter(help="Vector of a frame or segment: its global token, or the mean of its patches."),
    ] = "global"

    def settings(self) -> dict[str, Any]:
        """Arguments of `Embedder`."""
        return {**ComputeOptions.settings(self), "representation": self.representation}


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureOptions:
    """Figure of a result.

    Attributes:
        figure: PNG file.
    """

    figure: Annotated[Path | None, Parameter(help="PNG file for a figure of the result.")] = None

    def check(self) -> None:
        """Refuse a file that could not be written, before any work is done."""
        check_output(self.figure, option="--figure", suffix=".png")

    def save_figure(self, draw: "Callable[[], Figure]") -> None:
        """Write the figure, where one is asked for."""
        from cavmae_sync.figures import save_figure

        if self.figure is not None:
            save_figure(draw(), self.figure)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ResultOptions(FigureOptions):
    """Forms of a result beside the table on standard output."""

    as_json: Json = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class VideoResultOptions(FigureOptions):
    """Forms of what was found in one video, beside the text on standard output.

    Attributes:
        csv: CSV file for the result over time.
    """

    csv: Path | None = None
    as_json: Json = False

    def check(self, *, inputs: Sequence[Path | None] = ()) -> None:
        """Refuse files that could not be written, before any work is done.

        Args:
            inputs: Files that the command reads, and must not write over.
        """
        FigureOptions.check(self)
        check_output(self.csv, option="--csv", suffix=".csv", inputs=inputs)

    def save_csv(self, make_text: Callable[[], str]) -> None:
        """Write the CSV file, where one is asked for."""
        from cavmae_sync.atomic import write_text

        if self.csv is not None:
            write_text(self.csv, make_text())


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ShardOptions:
    """Share of the work that this machine does. `cavmae-sync submit` gives each of its jobs these two.

    Attributes:
        shard_index: Which share.
        num_shards: Number of shares.
    """

    shard_index: Annotated[int, Parameter(help="Number of this machine among several, from 0.")] = 0
    num_shards: Annotated[Count, Parameter(help="Machines that work on the same output.")] = 1

    def share(self) -> "Share":
        """The share of the work.

        Raises:
            ConfigError: There is no such share.
        """
        from cavmae_sync.work import Share

        if not 0 <= self.shard_index < self.num_shards:
            raise ConfigError(
                f"--shard-index {self.shard_index} must be at least 0 and below --num-shards "
                f"{self.num_shards}."
            )
        return Share(index=self.shard_index, count=self.num_shards)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class WorkOptions(ShardOptions):
    """Processes that decode files: of this machine, of several machines, or of Ray.

    Attributes:
        max_rejected_percent: When to fail.
        num_workers: Processes.
        engine: local works in processes of this machine; ray on a Ray cluster, or on a Ray of its own.
        ray_address: Address of a Ray cluster; the variable RAY_ADDRESS unless given.
    """

    max_rejected_percent: MaxRejectedPercent = 100.0
    num_workers: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=0),
            help="Processes that read videos; 0 reads in this one. As many as the model or the cores keep "
            "busy unless given. With --engine ray, the cores of a Ray of its own.",
        ),
    ] = None
    engine: Engine = "local"
    ray_address: str | None = None

    def workers(self) -> "int | RayCluster | None":
        """Number of processes, or Ray.

        Raises:
            ConfigError: An address is given without Ray.
        """
        from cavmae_sync.work import RayCluster

        if self.engine == "ray":
            return RayCluster(address=self.ray_address, num_cpus=self.num_workers)
        if self.ray_address is not None:
            raise ConfigError("--ray-address goes with --engine ray.")
        return self.num_workers

"""Commands as jobs of submitit: a command is split into shares, checked, and run again by each job."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cavmae_sync.checks import did_you_mean
from cavmae_sync.choices import Cluster
from cavmae_sync.errors import CavMaeSyncError, ConfigError

if TYPE_CHECKING:
    from cyclopts import App
    from submitit import AutoExecutor, Job
    from submitit.helpers import DelayedSubmission

#: Options that a command must have to be split.
_SHARE: Final = {"--shard-index", "--num-shards"}
_SECONDS_BETWEEN_LOOKS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ShardJob:
    """Command of a job. It runs in a Python process, never through a shell.

    Attributes:
        words: The command without `cavmae-sync`.
    """

    words: tuple[str, ...]

    def __call__(self) -> None:
        """Run the command.

        Raises:
            CavMaeSyncError: It ended with another exit code than 0.
        """
        from cavmae_sync.cli import run

        code = run(list(self.words))
        if code:
            raise CavMaeSyncError(f"cavmae-sync {' '.join(self.words)} ended with code {code}.")

    def checkpoint(self) -> "DelayedSubmission":
        """The same command again. Submitit asks for it when a job is preempted or out of time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def split_command(command: Sequence[str], *, num_jobs: int) -> list[tuple[str, ...]]:
    """Words of each job: the command with its share, checked as the command line would.

    Args:
        command: Words without `cavmae-sync`.
        num_jobs: Number of shares.

    Raises:
        ConfigError: The command cannot be split, or names its share itself.
        CycloptsError: The command is wrong.
    """
    from cavmae_sync.cli import app

    able = [" ".join(chain) for chain, each in _commands(app) if _options(each) >= _SHARE]
    chain, apps, rest = app.parse_commands(list(command))
    if not _options(apps[-1]) >= _SHARE:
        near = did_you_mean(command[0], able) if command and not chain else ""
        raise ConfigError(
            f"{_name_fault(command, chain)}. {near}Commands with --shard-index and --num-shards can: "
            f"{', '.join(able)}. For example: "
            "cavmae-sync submit --num-jobs 8 -- prepare my-videos --out my-dataset"
        )
    app.parse_args(list(command), exit_on_error=False)
    if any(word.partition("=")[0].replace("_", "-") in _SHARE for word in rest):
        raise ConfigError("submit gives each job its --shard-index and --num-shards. Leave them out.")
    return [
        (*chain, "--shard-index", str(index), "--num-shards", str(num_jobs), *rest)
        for index in range(num_jobs)
    ]


def open_executor(folder: Path, *, cluster: Cluster, settings: Mapping[str, Any]) -> "AutoExecutor":
    """Submitit's executor for a cluster.

    Args:
        folder: Folder for logs and pickled jobs; every machine must see it.
        cluster: Name of the cluster.
        settings: Parameters of `submitit.AutoExecutor`; those that are None are left out.

    Raises:
        ConfigError: The extra slurm, or Slurm itself, is not installed, or a setting holds a line break.
    """
    try:
        from submitit import AutoExecutor
    except ImportError as error:
        raise ConfigError(
            "submit needs the library submitit: pip install 'cavmae-sync[slurm]'. Without it, start the "
            "command on each machine with --shard-index and --num-shards."
        ) from error
    if cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
        raise ConfigError(
            "sbatch and srun are not on this machine. Submit from a login node of the cluster, or run all "
            "jobs on this machine with --cluster local."
        )
    for name, value in settings.items():
        if isinstance(value, str) and not value.isprintable():
            raise ConfigError(f"{name} {value!r} has characters that a job script cannot hold.")
    executor = AutoExecutor(folder, cluster=cluster)
    executor.update_parameters(**{name: value for name, value in settings.items() if value is not None})
    return executor


def submit_all(executor: "AutoExecutor", jobs: Sequence[ShardJob]) -> "list[Job[None]]":
    """Submit jobs together: one array, where the cluster has arrays.

    Raises:
        CavMaeSyncError: The cluster refused.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        with executor.batch():
            return [executor.submit(job) for job in jobs]
    except (FailedSubmissionError, FailedJobError) as error:
        raise CavMaeSyncError(f"The cluster refused the jobs: {error}") from error


def wait_for(jobs: "Sequence[Job[None]]", *, on_progress: Callable[[int], None]) -> None:
    """Wait until all jobs have ended.

    Args:
        jobs: Jobs that were submitted.
        on_progress: Called every second with the number that have ended.

    Raises:
        CavMaeSyncError: Some failed; the message has their errors and logs.
        KeyboardInterrupt: Ctrl-C; jobs of a cluster go on.
    """
    try:
        while (num_done := sum(job.done() for job in jobs)) < len(jobs):
            on_progress(num_done)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("no longer waiting; jobs of a cluster go on.") from None
    on_progress(num_done)
    failed = [job for job in jobs if job.exception() is not None]
    if failed:
        raise CavMaeSyncError(
            f"{len(failed)} of {len(jobs)} jobs failed. Submit the same command again when the "
            "cause is mended; what is done stays. " + " ".join(_describe(job) for job in failed[:3])
        )


def _name_fault(command: Sequence[str], chain: Sequence[str]) -> str:
    if chain:
        return f"{' '.join(chain)} cannot be split"
    return f"There is no command {command[0]!r}" if command else "No command follows after --"


def _describe(job: "Job[None]") -> str:
    log = job.stderr() or ""
    said = [line for line in log.splitlines() if line.startswith("error: ")]
    return f"Job {job.job_id} ({job.state}): {said[-1] if said else 'no message'} (log: {job.paths.stderr})"


def _commands(group: "App", names: tuple[str, ...] = ()) -> "Iterator[tuple[tuple[str, ...], App]]":
    for name in group:
        if name.startswith("-"):
            continue
        found, chain = group[name], (*names, name)
        if found.default_command is None:
            yield from _commands(found, chain)
        else:
            yield chain, found


def _options(command: "App") -> set[str]:
    if command.default_command is None:
        return set()
    return {name for argument in command.assemble_argument_collection() for name in argument.names}

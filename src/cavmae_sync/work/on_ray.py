"""Units on Ray: the same functions on the same units, so the same bytes, on the machines of a Ray cluster.

Only Ray Data is used: it streams, slows tasks down that are ahead of their consumer, and repeats the tasks of
a lost machine. Repeating is safe, because a unit may be done twice. Every machine must see the source files
and OUT under the same paths, and have this package installed.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from cavmae_sync.errors import CavMaeSyncError, ConfigError, DatasetError
from cavmae_sync.work.units import UnitResult, UnitT, unfinished
from cavmae_sync.work.workers import num_cores, single_threaded

#: Memory for rows that wait between tasks, when Ray runs on this machine alone.
_STORE_BYTES: Final = 512 * 2**20
#: A task passes its rows on when they have this size, so that pieces stream.
_BLOCK_BYTES: Final = 8 * 2**20
#: Time for a cluster to accept a connection. Ray itself would try for many minutes.
_SECONDS_TO_ANSWER: Final = 10.0
#: The one column of our rows: a unit, a piece of one, a result, or the error that came in its place.
COLUMN: Final = "item"


@dataclass(frozen=True, kw_only=True, slots=True)
class RayCluster:
    """The Ray cluster to work on.

    Attributes:
        address: Address of a cluster; None = the variable RAY_ADDRESS, or else a Ray on this machine that is
            started for the work and ends with it.
        num_cpus: Cores that a Ray started here may use; None = all.
    """

    address: str | None = None
    num_cpus: int | None = None


def do_on_ray(
    do: Callable[[UnitT], UnitResult], units: Sequence[UnitT], *, cluster: RayCluster
) -> Iterator[UnitResult]:
    """Do units as tasks of one core each.

    Args:
        do: Does a unit and leaves its record; a function of a module.
        units: What to do.
        cluster: The cluster to use.

    Raises:
        ConfigError: The extra ray is missing, or the cluster cannot be reached.
        DatasetError: A task died; names files that it may have been reading.
    """
    if not units:
        return
    with ray_started(cluster) as ray:
        rows = ray.data.from_items([{COLUMN: unit} for unit in units], override_num_blocks=len(units))
        yield from results_of(rows.map(_UnitTask(do), num_cpus=1), units)


def results_of(rows: Any, units: Sequence[UnitT]) -> Iterator[Any]:
    """Results of a Ray pipeline as they are ready; an error that came in the place of a result is raised.

    Args:
        rows: A Ray dataset of rows with `COLUMN`.
        units: The units it works on, for the message of an error.

    Raises:
        DatasetError: Ray stopped because a task died.
    """
    from ray.exceptions import RayError

    try:
        for row in rows.iter_rows():
            item = row[COLUMN]
            if isinstance(item, BaseException):
                raise item
            yield item
    except RayError as error:
        raise DatasetError(
            f"Ray stopped: {_last_line(error)} It was reading {', '.join(unfinished(units)[:3])}, or a file "
            "after one of these. Run again to go on, or with --engine local to find the file."
        ) from error


def failure(error: Exception, unit: UnitT) -> Exception:
    """Error to send in the place of a result. One that is not ours names no file: it gets one of the unit."""
    if isinstance(error, CavMaeSyncError | OSError):
        return error
    where = f"at a file of the unit that begins with {unit.first_file}"
    return DatasetError(f"{type(error).__name__} {where}: {error}")


@contextmanager
def ray_started(cluster: RayCluster) -> Iterator[ModuleType]:
    """The library Ray, connected to a cluster, without its log, its dashboard and its usage statistics.

    A Ray that the caller has already started is used and left running.

    Raises:
        ConfigError: The extra ray is missing, or the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError(
            "--engine ray needs the library Ray: pip install 'cavmae-sync[ray]'. Without it, use "
            "--engine local; on several machines with --shard-index and --num-shards."
        ) from error
    with _quiet("ray", "ray.data"):
        is_ours = not ray.is_initialized()
        if is_ours:
            _connect(ray, cluster)
        context = ray.data.DataContext.get_current()
        before = (context.enable_progress_bars, context.target_max_block_size)
        context.enable_progress_bars, context.target_max_block_size = False, _BLOCK_BYTES
        try:
            yield ray
        finally:
            context.enable_progress_bars, context.target_max_block_size = before
            if is_ours:
                ray.shutdown()


@dataclass(frozen=True, slots=True)
class _UnitTask:
    """A function of units in the form that Ray calls: a row in, a row out."""

    do: Callable[[Any], UnitResult]

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with single_threaded():
                return {COLUMN: self.do(row[COLUMN])}
        except Exception as error:  # noqa: BLE001 (the driver raises it; Ray would hide it in its own)
            return {COLUMN: failure(error, row[COLUMN])}


def _connect(ray: ModuleType, cluster: RayCluster) -> None:
    address = cluster.address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {}
    if address == "local":
        # At least two: a task that encodes holds one, and decoding would never start.
        own = {"num_cpus": max(2, cluster.num_cpus or num_cores()), "object_store_memory": _STORE_BYTES}
    try:
        _check_answers(address)
        ray.init(
            address=address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **own,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"Ray at {address!r} cannot be reached: {str(error).rstrip('.')}. Start it with "
            "`ray start --head`, give another --ray-address, or leave out both --ray-address and the "
            "variable RAY_ADDRESS to use this machine."
        ) from error


def _check_answers(address: str) -> None:
    """Check that `host:port` accepts connections; other kinds of address ("auto") are left to Ray.

    Raises:
        OSError: It does not.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Only errors from these loggers until the end of the block."""
    loggers = [logging.getLogger(name) for name in names]
    before = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


def _last_line(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), repr(error))

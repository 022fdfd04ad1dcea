"""Units on Ray: the same functions on the same units, so the same bytes, on the machines of a Ray cluster.

Ray is used through Ray Data alone: it streams, holds back what is ahead of its consumer, and does again what
a lost machine was at. Units may be done twice, so that is safe. Every machine must see the sources and OUT by
the same paths, and have this package installed.
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
from cavmae_sync.work.units import UnitResult, UnitT
from cavmae_sync.work.workers import num_cores, single_threaded

#: Memory for what waits between tasks, when Ray runs on this machine alone.
_STORE_BYTES: Final = 512 * 2**20
#: A task hands on what it has when it has this much, so that pieces stream.
_BLOCK_BYTES: Final = 8 * 2**20
#: For a cluster to take a connection. Ray itself would try for many minutes.
_SECONDS_TO_ANSWER: Final = 10.0
#: The one column of our rows: a unit, a piece of one, a result, or the error that came in its place.
COLUMN: Final = "item"


@dataclass(frozen=True, kw_only=True, slots=True)
class RayCluster:
    """Where Ray runs.

    Attributes:
        address: Of a cluster; None = what the variable RAY_ADDRESS says, or else a Ray of this machine's own
            that ends with the work.
        num_cpus: Cores that a Ray of this machine's own may use; None = all.
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
        cluster: Where.

    Raises:
        ConfigError: The extra ray is missing, or the cluster cannot be reached.
        DatasetError: A task died; names files it may have been at.
    """
    if not units:
        return
    with ray_started(cluster) as ray:
        rows = ray.data.from_items([{COLUMN: unit} for unit in units], override_num_blocks=len(units))
        yield from results_of(rows.map(_Do(do), num_cpus=1), units)


def results_of(rows: Any, units: Sequence[UnitT]) -> Iterator[Any]:
    """What a Ray pipeline gives, as it comes; an error that came in the place of a result is raised.

    Args:
        rows: A Ray dataset of rows with `COLUMN`.
        units: What it works on, to say where it failed.

    Raises:
        DatasetError: Ray gave up.
    """
    from ray.exceptions import RayError

    try:
        for row in rows.iter_rows():
            item = row[COLUMN]
            if isinstance(item, BaseException):
                raise item
            yield item
    except RayError as error:
        suspects = ", ".join([unit.first_file for unit in units if not unit.is_done()][:3])
        raise DatasetError(
            f"Ray gave up: {_last_line(error)} It was at work on a file of the units that begin with "
            f"{suspects}. Run again to go on, or with --engine local to find the file."
        ) from error


def failure(error: Exception, unit: UnitT) -> Exception:
    """An error as it travels in the place of a result; one that names no file is told the unit's."""
    if isinstance(error, CavMaeSyncError | OSError):
        return error
    where = f"at a file of the unit that begins with {unit.first_file}"
    return DatasetError(f"{type(error).__name__} {where}: {error}")


@contextmanager
def ray_started(cluster: RayCluster) -> Iterator[ModuleType]:
    """The library Ray, connected; quiet, without its dashboard and its usage statistics.

    A Ray that the caller has started already is used and left running.

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
            "--engine local, on several machines with --shard-index and --num-shards."
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
class _Do:
    """A unit's function, as a Ray task calls it."""

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
        # Two at least: one that encodes would leave none for decoding.
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
            "`ray start --head`, name another --ray-address, or leave it and RAY_ADDRESS out to "
            "use this machine."
        ) from error


def _check_answers(address: str) -> None:
    """Look whether somebody listens at `host:port`; other kinds of address ("auto") are left to Ray.

    Raises:
        OSError: Nobody does.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Errors only, of these loggers."""
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

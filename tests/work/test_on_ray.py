"""Units on Ray end as the same bytes; what goes wrong in a task is said as if it had gone wrong here."""

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cavmae_sync.data import prepare
from cavmae_sync.errors import ConfigError, DatasetError, UnreadableFileError
from cavmae_sync.work import RayCluster, Share
from cavmae_sync.work.on_ray import do_on_ray
from cavmae_sync.work.units import UnitResult

from ..small_videos import SMALL

Contents = Callable[[Path], dict[str, bytes]]


pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\."),  # of Ray's own making
]


@dataclass(frozen=True)
class Number:
    """A unit that is only a number."""

    number: int
    num_files: int = 1

    @property
    def first_file(self) -> str:
        return f"{self.number}.mp4"

    def is_done(self) -> bool:
        return False


def fail_at_two(unit: Number) -> UnitResult:
    if unit.number == 2:
        raise UnreadableFileError("2.mp4 is no video. Remove it.")
    return UnitResult(num_files=1, num_clips=unit.number, num_rejected=0)


def stumble(unit: Number) -> UnitResult:
    raise ZeroDivisionError("a fault of ours")


@pytest.mark.long
def test_a_dataset_made_on_ray_is_the_same_bytes(videos: Path, tmp_path: Path, contents: Contents) -> None:
    """Half of it was made before, without Ray."""
    prepare(videos, out=tmp_path / "here", config=SMALL, num_workers=0)
    first = prepare(videos, out=tmp_path / "ray", config=SMALL, num_workers=0, share=Share(index=1, count=2))
    assert not first.is_complete
    assert prepare(videos, out=tmp_path / "ray", config=SMALL, num_workers=RayCluster()).is_complete
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


def test_an_error_of_a_task_is_raised_as_it_was() -> None:
    units = [Number(number) for number in range(4)]
    with pytest.raises(UnreadableFileError, match=r"2\.mp4 is no video"):
        list(do_on_ray(fail_at_two, units, cluster=RayCluster()))


def test_an_unforeseen_error_names_the_unit() -> None:
    with pytest.raises(
        DatasetError, match=r"ZeroDivisionError at a file of the unit that begins with 7\.mp4"
    ):
        list(do_on_ray(stumble, [Number(7)], cluster=RayCluster()))


def test_no_units_need_no_ray() -> None:
    assert list(do_on_ray(stumble, [], cluster=RayCluster(address="nowhere:1"))) == []


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'cavmae-sync\[ray\]'"):
        list(do_on_ray(stumble, [Number(1)], cluster=RayCluster()))


def test_an_address_where_nobody_listens_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=rf"Ray at '{address}' cannot be reached: .*refused\. Start"):
            list(do_on_ray(stumble, [Number(1)], cluster=RayCluster(address=address)))

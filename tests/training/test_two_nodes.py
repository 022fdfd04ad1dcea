"""Two machines, each with a torchrun of its own: network namespaces and a cable, or two local addresses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cavmae_sync.recipes import find_recipe, run_pretraining
from cavmae_sync.training import read_metrics

pytestmark = pytest.mark.long


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine: what a command line on it begins with, its address, and the interface of its cable."""

    enter: tuple[str, ...]
    address: str
    interface: str


def in_namespaces() -> tuple[list[Node], list[str]] | None:
    """Two nodes with a virtual cable between them, and their namespaces; None where that is not permitted."""
    ip = shutil.which("ip", path=os.defpath + ":/usr/sbin:/sbin")
    if ip is None or os.geteuid() != 0:
        return None
    names = [f"cavmae{os.getpid()}{end}" for end in "ab"]
    cables = [f"v{os.getpid()}{end}" for end in "ab"]
    made: list[str] = []
    try:
        for name in names:
            subprocess.run([ip, "netns", "add", name], check=True, capture_output=True)
            made.append(name)
        ends = ["link", "add", cables[0], "netns", names[0], "type", "veth"]
        subprocess.run(
            [ip, *ends, "peer", "name", cables[1], "netns", names[1]], check=True, capture_output=True
        )
        for number, (name, cable) in enumerate(zip(names, cables, strict=True), start=1):
            for words in (
                ["addr", "add", f"10.77.0.{number}/24", "dev", cable],
                ["link", "set", "lo", "up"],
                ["link", "set", cable, "up"],
            ):
                subprocess.run([ip, "-n", name, *words], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        remove(made)
        return None
    nodes = [
        Node(enter=(ip, "netns", "exec", name), address=f"10.77.0.{number}", interface=cable)
        for number, (name, cable) in enumerate(zip(names, cables, strict=True), start=1)
    ]
    return nodes, names


def remove(namespaces: list[str]) -> None:
    """Their cables go with them."""
    ip = shutil.which("ip", path=os.defpath + ":/usr/sbin:/sbin")
    for name in namespaces:
        subprocess.run([str(ip), "netns", "del", name], check=True)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    """Two machines, or what comes closest here."""
    made = in_namespaces()
    if made is None:
        yield [Node(enter=(), address=f"127.0.0.{number}", interface="lo") for number in (1, 2)]
        return
    yield made[0]
    remove(made[1])


def start(node: Node, number: int, first: Node, words: list[str]) -> subprocess.Popen[str]:
    """`torchrun` on one of two nodes, with one process."""
    agent = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={first.address}:29471", "--rdzv-id=test"),
        # A name server would say both: these nodes have none.
        *(f"--rdzv-conf=is_host={1 - number},timeout=60", f"--local-addr={node.address}"),
    ]
    return subprocess.Popen(
        [*node.enter, *agent, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": node.interface},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def on_both(nodes: list[Node], commands: list[list[list[str]]]) -> list[tuple[int, str]]:
    """How the commands of each node ended, as torchrun says, and what they printed."""
    script = Path(__file__).with_name("two_commands.py")
    running = [
        start(node, number, nodes[0], [str(script), json.dumps(commands[number])])
        for number, node in enumerate(nodes)
    ]
    try:
        printed = [process.communicate(timeout=150)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    return [(process.returncode, text) for process, text in zip(running, printed, strict=True)]


#: A debug run as words of the command line.
WORDS = (
    "model.inputs.frame_pixels=32",
    "losses.contrast.negatives=global",
    "loop.num_steps=3",
    "loop.log_every_steps=1",
)


def pretrain(dataset: Path, out: Path, *more: str) -> list[str]:
    """A command."""
    return ["pretrain", "debug", "--data", str(dataset), "--out", str(out), "--device", "cpu", *WORDS, *more]


@pytest.fixture(scope="module")
def ended(
    nodes: list[Node], prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[tuple[int, list[str]]], Path]:
    """Two commands on both nodes: a run, then one that the second node starts with another seed.

    Gives torchrun's exit code and what each command printed, for each node, and the folder of all runs.
    """
    out = tmp_path_factory.mktemp("nodes")
    ends = on_both(
        nodes,
        [
            [pretrain(prepared_folder, out / "first" / "run"), pretrain(prepared_folder, out / "differs")],
            [
                pretrain(prepared_folder, out / "second" / "run"),
                pretrain(prepared_folder, out / "differs", "seed=3"),
            ],
        ],
    )
    return [(code, text.split("ended with 0\n")) for code, text in ends], out


def test_two_nodes_equal_one_process_without_a_shared_folder(
    ended: tuple[list[tuple[int, list[str]]], Path], prepared_folder: Path, tmp_path: Path
):
    """The folder of the run is written on the first node; the second never sees it."""
    ends, out = ended
    assert all(len(printed) == 2 for _, printed in ends), ends  # the first command ended with 0
    assert not (out / "second").exists()
    assert "3 steps; weights in" in ends[0][1][0]
    assert "3 steps; weights in" not in ends[1][1][0]
    alone = run_pretraining(
        find_recipe("debug").with_overrides(WORDS), data=prepared_folder, out=tmp_path / "alone", device="cpu"
    )
    rows = [read_metrics(path) for path in (alone.run.metrics, out / "first" / "run" / "metrics.jsonl")]
    for one, two in zip(*rows, strict=True):
        assert {key: two[key] for key in ("step", "epoch")} == {key: one[key] for key in ("step", "epoch")}
        for key in ("total", "contrastive", "audio_reconstruction", "visual_reconstruction"):
            assert two[key] == pytest.approx(one[key], rel=1e-5), key


def test_a_node_that_was_started_differently_ends_both_with_its_name(
    ended: tuple[list[tuple[int, list[str]]], Path],
):
    """Neither waits for the other; nothing is written."""
    ends, out = ended
    for code, printed in ends:
        assert code == 1
        assert "process 1 has seed=3, process 0 has 0. Start all processes with the same words" in printed[1]
        assert "ended with 1" in printed[1]
    assert not (out / "differs").exists()

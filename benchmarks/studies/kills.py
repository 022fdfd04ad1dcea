"""`kill -9` at random moments of `embed`, `probe`, `reproduce` and `demo`: they go on to equal results.

python -m benchmarks.studies.kills [--only embed probe] [--kills 10] [--seed 0] [--work FOLDER] [--json FILE]

Each command runs once undisturbed. Then it is started again and again, and killed at moments drawn at random
from that time: in turn the whole process group, and the main process alone, whose workers must then end by
themselves. When a start comes to its end, the folder is compared with the undisturbed one, and the next
folder is begun, until all kills are spent. Every file must be equal byte by byte, but for those named in
`Trial.may_differ` and for times and speeds in logs. Nothing unfinished may stay in the folder.

A demo trains as long as it has time. Its files are compared with what `cavmae-sync pretrain` makes of the
same clips by OUT/run/config.json, undisturbed.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from cavmae_sync.atomic import PART_SUFFIX
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.paper import NUM_FRAMES
from cavmae_sync.recipes.stage_twin import FRAME_PIXELS
from cavmae_sync.recipes.tables.datasets import make_stage_datasets, stage_datasets
from cavmae_sync.weights import save_model

#: What a row of a log says about the clock, and not about the run.
TIMES = ("clips_per_second", "waiting_fraction", "started")
#: Never compared, and why.
NEVER_EQUAL = {
    "*/tensorboard/*": "named by time and process; a start adds a file",
    "*.lock": "empty; there where a start had to wait or to compute",
}
#: Workers may outlive a killed parent by so much.
PATIENCE_SECONDS = 30.0
#: Part of the undisturbed time before which nothing is killed: there Python is still loading.
_EARLIEST = 0.1
#: What a command says that was killed between its last file and its end.
_IS_DONE = "already holds a"


@dataclass(frozen=True, kw_only=True)
class Material:
    """What the commands work on; made once."""

    weights: Path
    videos: Path
    train: Path
    test: Path
    tables: Path


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One command.

    Attributes:
        words: The command without `--out`.
        given: What a folder is begun with, by name: what takes long, and is killed elsewhere.
        may_differ: Files that may, by pattern, and why.
        also: Further comparisons of a finished folder; gives what differs.
    """

    words: Sequence[object]
    given: Mapping[str, Path] = field(default_factory=dict)
    may_differ: Mapping[str, str] = field(default_factory=dict)
    also: Callable[[Path], list[str]] = lambda _: []


@dataclass(kw_only=True)
class Found:
    """What came of one command.

    Attributes:
        straight_seconds: Of the undisturbed run.
        kills: Of the whole group, and of the main process alone.
        folders: Results that were compared.
        starts: Of the command, over all folders.
        latest_end_seconds: From a kill of the main process to the end of its last worker.
        differences: Anything that was not as in the undisturbed run, in words.
    """

    straight_seconds: float
    kills: dict[str, int] = field(default_factory=lambda: {"group": 0, "main": 0})
    folders: int = 0
    starts: int = 0
    latest_end_seconds: float = 0.0
    differences: list[str] = field(default_factory=list)


def make_material(folder: Path) -> Material:
    """A few dozen clips, prepared, and a model of random weights; what is there is used."""
    made = Material(
        weights=folder / "model.safetensors",
        videos=folder / "stage-train" / "clips",
        train=folder / "train",
        test=folder / "test",
        tables=folder / "tables",
    )
    if made.weights.exists():  # it is written last
        return made
    sizes = {"train": (0, 48), "test": (1, 16)}
    for name, (seed, count) in sizes.items():
        stage, words = folder / f"stage-{name}", ["frame_pixels=64", "frames_per_second=8"]
        run(["stage", stage, "--num-clips", count, "--seed", seed, *words], folder)
        labels = ["--labels", stage / "labels.csv"]
        run(["prepare", stage / "clips", *labels, "frame_pixels=64", "--out", folder / name], folder)
    materials, num_clips = stage_datasets(made.tables, frame_counts=[NUM_FRAMES]), {"train": 40, "test": 2}
    make_stage_datasets(
        made.tables, materials, num_clips=num_clips, frame_pixels=FRAME_PIXELS, on_progress=lambda *_: None
    )
    inputs = InputConfig(frame_pixels=64, segment_length=96, align_length="valid")
    small = DecoderConfig(width=32, depth=1, heads=2)
    model = CAVMAESync(ModelConfig(inputs=inputs, width=128, depth=3, heads=4, registers=4, decoder=small))
    save_model(model, made.weights)
    return made


def trials(material: Material, folder: Path) -> dict[str, Trial]:
    """The commands, small enough to take seconds, with pools of processes."""
    lists = ["--train", material.train, "--test", material.test, "--recipe", "probe_stage", "head=linear"]
    lists += ["--num-workers", 2, "--with-controls", "learning_rates=1e-2,1e-1", "classifier.num_epochs=4"]
    lists += ["classifier.averaging.first_epoch=2", "classifier.averaging.last_epoch=4", "num_bootstrap=50"]
    clips = ["num_train_clips=40", "num_test_clips=2"]  # whose labels the others know
    by_clock = "as many steps as there was time for; compared with its own repetition"
    return {
        "embed": Trial(
            words=["embed", material.weights, "--videos", material.videos, "--num-workers", 2],
        ),
        "probe": Trial(words=["probe", material.weights, *lists]),
        "reproduce": Trial(
            words=["reproduce", "table7", "--row", "with", "--seeds", 0, "num_epochs=1", *clips],
            given={"materials": material.tables},
        ),
        "demo": Trial(
            words=["demo", "--minutes", 0.3, "num_train_clips=32", "num_test_clips=8", "frame_pixels=32"],
            may_differ={
                "plan.json": "the time spent",
                **dict.fromkeys(("run/*", "retrieval.json", "report.html"), by_clock),
            },
            also=lambda out: differences_of_repetition(out, folder),
        ),
    }


def differences_of_repetition(out: Path, folder: Path) -> list[str]:
    """What an undisturbed run of a demo's `run/config.json` on the same clips has otherwise."""
    again = folder / "again"
    shutil.rmtree(again, ignore_errors=True)
    clips = ["--data", out / "data-train", "--validation", out / "data-test"]
    run(["pretrain", out / "run" / "config.json", *clips, "--out", again], folder)
    places = {"environment.json": "paths, and that it is a repetition", "checkpoints/*": "see weights"}
    found = differences(contents(out / "run"), contents(again), may_differ=places)
    report = folder / "again.json"
    run(["evaluate", "retrieval", again, "--data", out / "data-test", "--json"], folder, said=report)
    values = [json.loads(path.read_text("utf-8"))["metrics"] for path in (out / "retrieval.json", report)]
    return found + ([] if values[0] == values[1] else ["retrieval.json: numbers differ"])


def contents(folder: Path) -> dict[str, bytes]:
    """What every file says, without times and speeds; names relative to the folder."""
    return {
        str(path.relative_to(folder)): _what_it_says(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _what_it_says(path: Path) -> bytes:
    if path.suffix == ".pt":
        # The random state is of torch's own generator: of another seed in each process, and never drawn from.
        # The archive itself holds the name that the file had while it was written.
        state = torch.load(path, weights_only=True)
        return _plain({name: value for name, value in state.items() if name != "random_state"}).encode()
    if path.name not in ("metrics.jsonl", "environment.json"):
        return path.read_bytes()
    text = path.read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
    return json.dumps([{k: v for k, v in row.items() if k not in TIMES} for row in rows]).encode()


def _plain(value: object) -> str:
    """A state as text in which equal bits are equal."""
    if isinstance(value, torch.Tensor):
        bits = value.contiguous().numpy().tobytes()
        return f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(bits).hexdigest()}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_plain(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return repr(value)


def differences(
    expected: Mapping[str, bytes], found: Mapping[str, bytes], *, may_differ: Mapping[str, str]
) -> list[str]:
    """Files that are missing, differ, or were left unfinished."""
    passed = [*may_differ, *NEVER_EQUAL]
    words: list[str] = []
    for name in sorted(expected.keys() | found.keys()):
        if name.endswith(PART_SUFFIX):
            words.append(f"{name}: left unfinished")
        elif any(fnmatch.fnmatch(f"/{name}", f"*/{pattern.removeprefix('*/')}") for pattern in passed):
            continue
        elif name not in found or name not in expected:
            words.append(f"{name}: {'missing' if name in expected else 'not in the undisturbed run'}")
        elif expected[name] != found[name]:
            words.append(f"{name}: {len(expected[name])} and {len(found[name])} bytes differ")
    return words


def start(words: Sequence[object], folder: Path, *, said: Path | None = None) -> "subprocess.Popen[bytes]":
    """The command as a terminal starts it, in a session of its own; what it says goes to a file."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
    with (said or folder / "said.txt").open("wb") as out, (folder / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "cavmae_sync", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
            env=environment,
        )


def run(words: Sequence[object], folder: Path, *, said: Path | None = None) -> None:
    """The command to its end, which must be a good one."""
    check_ended(start(words, folder, said=said).wait(), words, folder)


def check_ended(code: int, words: Sequence[object], folder: Path) -> None:
    """Raise what a command said that failed."""
    if code:
        said = (folder / "errors.txt").read_text("utf-8", "replace")
        raise RuntimeError(f"{' '.join(map(str, words))} ended with {code}: {said[-2000:]}")


def family(session: int) -> list[int]:
    """Processes of a session that run."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of_session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now
        if int(of_session) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def seconds_until_gone(process: "subprocess.Popen[bytes]") -> float:
    """Seconds until the last process of a command is gone, whose main process ended just now.

    Raises:
        RuntimeError: Some outlive it; they are killed.
    """
    began = time.monotonic()
    process.wait()
    while left := family(process.pid):
        if time.monotonic() - began > PATIENCE_SECONDS:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(f"processes {left} outlived their parent")
        time.sleep(0.02)
    return time.monotonic() - began


def run_killed(trial: Trial, out: Path, found: Found, *, kills: int, generator: random.Random) -> None:
    """The command in one folder, killed until a start comes to its end or all kills are spent."""
    words, folder = [*trial.words, "--out", out], out.parent
    was_killed = False
    while True:
        process = start(words, folder)
        found.starts += 1
        delay = found.straight_seconds * generator.uniform(_EARLIEST, 1)
        try:
            process.wait(delay if sum(found.kills.values()) < kills else None)
        except subprocess.TimeoutExpired:
            whom = "main" if sum(found.kills.values()) % 2 else "group"
            (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGKILL)
            seconds = seconds_until_gone(process)
            found.kills[whom] += 1
            print(f"{out}: {whom} killed after {delay:.1f} s", file=sys.stderr, flush=True)
            was_killed = True
            if whom == "main":
                found.latest_end_seconds = max(found.latest_end_seconds, seconds)
            continue
        if not (was_killed and _IS_DONE in (folder / "errors.txt").read_text("utf-8", "replace")):
            check_ended(process.returncode, words, folder)
        seconds_until_gone(process)
        return


def begin(out: Path, trial: Trial) -> None:
    """Put into a new folder what it is begun with."""
    for name, path in trial.given.items():
        shutil.copytree(path, out / name)


def judge(name: str, trial: Trial, folder: Path, *, kills: int, seed: int) -> Found:
    """Run a command undisturbed and disturbed, and compare."""
    out, generator = folder / "out", random.Random(f"{seed}/{name}")
    begin(out, trial)
    began = time.monotonic()
    run([*trial.words, "--out", out], folder)
    found = Found(straight_seconds=time.monotonic() - began)
    expected = contents(out)
    found.differences += trial.also(out)
    while sum(found.kills.values()) < kills:
        shutil.rmtree(out)  # always the same name: some files name their folder
        begin(out, trial)
        run_killed(trial, out, found, kills=kills, generator=generator)
        found.folders += 1
        words = differences(expected, contents(out), may_differ=trial.may_differ) + trial.also(out)
        found.differences += [f"folder {found.folders}: {each}" for each in words]
    return found


def show(name: str, found: Found) -> None:
    """One row of the table, and what is wrong."""
    equal = "no" if found.differences else "yes"
    print(
        f"| `{name}` | {found.kills['group']} + {found.kills['main']} | {found.starts} | {found.folders} "
        f"| {found.straight_seconds:.0f} | {found.latest_end_seconds:.1f} | {equal} |",
        flush=True,
    )
    for each in found.differences:
        print(f"    {each}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("embed", "probe", "reproduce", "demo")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="keep everything here; material that is there is used")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        material = make_material(work / "material")
        print("| command | kills: group + main | starts | folders | undisturbed s | last worker s | equal |")
        print("|---|---|---:|---:|---:|---:|---|", flush=True)
        rows: dict[str, Found] = {}
        for name in arguments.only:
            folder = work / name
            shutil.rmtree(folder, ignore_errors=True)
            trial = trials(material, folder)[name]
            rows[name] = judge(name, trial, folder, kills=arguments.kills, seed=arguments.seed)
            show(name, rows[name])
    if arguments.json:
        text = json.dumps({name: asdict(found) for name, found in rows.items()}, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(any(found.differences for found in rows.values()))


if __name__ == "__main__":
    main()

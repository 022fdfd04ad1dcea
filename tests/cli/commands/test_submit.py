"""`submit` on this machine for real, and the script that Slurm would get."""

import json
import shutil
from pathlib import Path

import pytest

SMALL = ("frame_pixels=32", "num_frames=4", "clip_seconds=1", "files_per_shard=3", "--num-workers", 0)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs by the names of Slurm's: `sbatch` takes a script and says a number, as the real one does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", "echo Submitted batch job 4711"), ("srun", "exit 1")):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return tmp_path / "logs with space"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_two_jobs_give_the_dataset_of_one_process(cli, stage_folder, tmp_path):
    source = stage_folder / "clips"
    command = ("prepare", source, *SMALL, "--out")
    assert cli(*command, tmp_path / "one").code == 0
    submitted = cli(
        "submit", "--num-jobs", 2, "--cluster", "local", "--folder", tmp_path / "logs", "--wait", "--json",
        "--", *command, tmp_path / "two",
    )  # fmt: skip
    assert submitted.code == 0, submitted.err
    assert len(json.loads(submitted.out)["jobs"]) == 2
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.long
def test_a_job_that_fails_is_told_with_what_it_said(cli, tmp_path):
    ran = cli(
        "submit", "--num-jobs", 1, "--cluster", "local", "--folder", tmp_path / "logs", "--wait",
        "--", "prepare", tmp_path / "nowhere", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 1
    message = " ".join(ran.err.split())
    assert "1 of 1 jobs failed" in message
    assert f"error: {tmp_path / 'nowhere'}" in message
    assert "_0_log.err" in message


def test_slurm_gets_one_array_with_the_limits_asked_for(cli, slurm):
    ran = cli(
        "submit", "--num-jobs", 3, "--folder", slurm, "--minutes", 90, "--cpus", 16, "--gpus", 1,
        "--memory-gb", 64, "--partition", "short; rm -rf x", "--at-once", 2,
        "--", "prepare", "my videos; echo", "--out", "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert [line.split()[0] for line in ran.out.splitlines()] == ["4711_0", "4711_1", "4711_2"]
    script = next(slurm.glob("*_submission.sh")).read_text()
    for line in (
        "#SBATCH --array=0-2%2",
        "#SBATCH --cpus-per-task=16",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --job-name=cavmae-sync-prepare",
        "#SBATCH --mem=64GB",
        "#SBATCH --partition='short; rm -rf x'",
        "#SBATCH --time=90",
    ):
        assert line in script.splitlines()
    assert "my videos" not in script, "words travel in the pickle, not through a shell"


def test_each_job_knows_its_share(cli, slurm):
    from submitit.core.utils import DelayedSubmission

    assert cli("submit", "--num-jobs", 2, "--folder", slurm, "--", "prepare", "a b", "--out", "o").code == 0
    words = [DelayedSubmission.load(path).function.words for path in sorted(slurm.glob("*.pkl"))]
    assert words == [
        ("prepare", "--shard-index", str(index), "--num-shards", "2", "a b", "--out", "o") for index in (0, 1)
    ]
    job = DelayedSubmission.load(next(slurm.glob("*.pkl"))).function
    assert job.checkpoint().function == job, "preempted, it is queued again as it was"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ((), 1, "No command follows after --"),
        (("prepair", "x"), 1, "There is no command 'prepair'"),
        (("pretrain", "debug"), 1, "pretrain cannot be split. Commands with --shard-index"),
        (("prepare", "x", "--out", "o", "--num-shards", 3), 1, "Leave them out"),
        (("prepare", "x", "--out", "o", "--typo", 3), 2, "Unknown option"),
        (("prepare", "x"), 2, "--out"),
    ],
)
def test_mistakes_are_found_before_anything_is_submitted(cli, tmp_path, command, code, message):
    logs = tmp_path / "logs"
    ran = cli("submit", "--num-jobs", 2, "--cluster", "local", "--folder", logs, "--", *command)
    assert (ran.code, message in " ".join(ran.err.split())) == (code, True), ran.err
    assert not logs.exists()


def test_settings_that_would_break_the_script_are_refused(cli, slurm):
    words = ("--", "prepare", "x", "--out", "o")
    ran = cli("submit", "--num-jobs", 2, "--folder", slurm, "--partition", "a\nrm -rf x", *words)
    assert (ran.code, "a job script cannot hold" in " ".join(ran.err.split())) == (1, True)


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="this machine has Slurm")
def test_without_slurm_it_says_what_to_do(cli, tmp_path):
    ran = cli("submit", "--num-jobs", 2, "--folder", tmp_path, "--", "prepare", "x", "--out", "o")
    assert (ran.code, "--cluster local" in ran.err) == (1, True)

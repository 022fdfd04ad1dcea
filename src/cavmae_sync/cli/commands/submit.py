"""`cavmae-sync submit`: one command as many jobs of a cluster, each with its share."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import Cluster
from cavmae_sync.cli.jobs import ShardJob, open_executor, split_command, submit_all, wait_for
from cavmae_sync.cli.options import Count, Json, Positive, Switch
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import print_json, print_line


def submit(
    *command: str,
    num_jobs: Count,
    folder: Path = Path("cavmae-sync-jobs"),
    cluster: Cluster = "slurm",
    minutes: Count = 240,
    cpus: Count = 8,
    gpus: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    memory_gb: Positive | None = None,
    partition: str | None = None,
    account: str | None = None,
    qos: str | None = None,
    constraint: str | None = None,
    at_once: Count = 256,
    wait: Switch = False,
    as_json: Json = False,
) -> None:
    """Submit a command as NUM_JOBS jobs, each with its --shard-index and --num-shards.

    For commands that have these two options. The command follows after `--`, and is checked before anything
    is submitted. A job that is preempted, or runs out of its minutes, is queued again and goes on where it
    was. When a job is lost, submit the same command again: what is done stays. Needs the extra slurm.

    Example: cavmae-sync submit --num-jobs 8 -- prepare my-videos --out my-dataset

    Args:
        command: The command, without cavmae-sync.
        num_jobs: Number of jobs; a Slurm array when there is more than one.
        folder: Folder for the logs and the inputs of the jobs; every machine must see it.
        cluster: slurm; local runs all jobs at once on this machine; debug runs one after the other in this
            process.
        minutes: Minutes that a job may take.
        cpus: Cores of a job.
        gpus: Accelerators of a job.
        memory_gb: Gigabytes of memory of a job; the default of the partition unless given.
        partition: Slurm's partition.
        account: Slurm's account.
        qos: Slurm's quality of service.
        constraint: Features that a node must have.
        at_once: Jobs of the array that may run at the same time.
        wait: Wait until all jobs have ended; fail when one fails.
    """
    words = split_command(command, num_jobs=num_jobs)
    settings: dict[str, Any] = {
        "name": f"cavmae-sync-{command[0]}",
        "timeout_min": minutes,
        "cpus_per_task": cpus,
        "gpus_per_node": gpus or None,
        "mem_gb": memory_gb,
        "slurm_partition": partition,
        "slurm_account": account,
        "slurm_qos": qos,
        "slurm_constraint": constraint,
        "slurm_array_parallelism": at_once,
    }
    executor = open_executor(folder.absolute(), cluster=cluster, settings=settings)
    jobs = submit_all(executor, [ShardJob(each) for each in words])
    if as_json:
        print_json({"jobs": [{"id": job.job_id, "log": str(job.paths.stderr)} for job in jobs]}, indent=None)
    else:
        for job in jobs:
            print_line(f"{job.job_id}  {job.paths.stderr}")
    if wait or cluster == "debug":
        with show_progress("waiting for jobs") as advance:
            wait_for(jobs, on_progress=lambda done: advance(done, len(jobs)))

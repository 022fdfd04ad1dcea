"""Long work in units that can be resumed: one process, many processes, many machines, Ray.

units              a list of units becomes records, and the records a result; `run_units`
workers            worker processes that end with their parent
side_by_side       long jobs, each in a process with one thread, with progress and a question to stop
on_ray             the same units on a Ray cluster
plan_differences   why a folder that was begun earlier cannot be continued
source_file        a file that a unit reads
"""

from cavmae_sync.work.on_ray import RayCluster
from cavmae_sync.work.units import Share, ShareProgress

__all__ = [
    "RayCluster",
    "Share",
    "ShareProgress",
]

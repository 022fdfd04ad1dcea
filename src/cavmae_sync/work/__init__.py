"""Long work in units that can be resumed: one process, many processes, many machines, Ray."""

from cavmae_sync.work.on_ray import RayCluster
from cavmae_sync.work.units import Share, ShareProgress

__all__ = [
    "RayCluster",
    "Share",
    "ShareProgress",
]

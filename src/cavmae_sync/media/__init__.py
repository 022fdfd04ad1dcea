"""Video file in, `Clip` out: pictures with their times, and the sound that belongs to them."""

from cavmae_sync.media.clip import Clip
from cavmae_sync.media.write import write_video

__all__ = ["Clip", "write_video"]

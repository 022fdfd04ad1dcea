"""Video file in, `Clip` out: pictures with their times, and the sound that belongs to them."""

from cavmae_sync.media.clip import Clip
from cavmae_sync.media.probe import AudioInfo, MediaInfo, VideoInfo, passed_over, probe
from cavmae_sync.media.read import iterate_clips, read_audio, read_clip, read_frames
from cavmae_sync.media.sampling import SamplingRule, sample_times
from cavmae_sync.media.write import write_video

__all__ = [
    "AudioInfo",
    "Clip",
    "MediaInfo",
    "SamplingRule",
    "VideoInfo",
    "iterate_clips",
    "passed_over",
    "probe",
    "read_audio",
    "read_clip",
    "read_frames",
    "sample_times",
    "write_video",
]

"""Reader of media files: a path in, a `Clip` out, which is frames with their times and their sound.

In: the path of a video or sound file. Out: a `Clip`, frames or sound as arrays, or a `MediaError` that names
the file. Times are seconds on the file's timeline, where 0 is what players show as 0.

What others call:

    read.py         read_clip, iterate_clips, read_frames, read_audio
    probe.py        what a file holds, by its header
    playback.py     a whole file at a constant frame rate, with its sound
    sampling.py     which moments of a clip become frames
    clip.py         the Clip itself
    cues.py         brightness, colour, motion, loudness: curves for baselines that learn nothing
    write.py        frames and sound to MP4; wav.py: sound to WAV; flac.py: sound to FLAC bytes and back
    clock.py        times as text; suffixes.py: endings of media files

How a file is read, from the bytes upwards. docs/data.md says what happens to odd files; comments name files
of tests/media/found/ and tests/media/odd/ that a rule comes from.

    container.py    opens a file safely, chooses its streams
    continuity.py   closes leaps of time stamps
    packets.py      packets of one stream, from any place in a file
    decode.py       runs a decoder over packets
    video_frames.py frame times and decoded frames; orientation.py: turns them upright
    frame_times.py  which frames a clip has, from frame times; screen.py: the frame on screen at a time
    sound_chunks.py packets of sound and decoded samples
    sound_clock.py  when samples were heard, from their time stamps
    sound_track.py  samples at 16 kHz on the file's timeline; interpolation.py: values between samples
"""

from cavmae_sync.media.clip import Clip
from cavmae_sync.media.playback import Playback, playback
from cavmae_sync.media.probe import AudioInfo, MediaInfo, VideoInfo, passed_over, probe
from cavmae_sync.media.read import iterate_clips, read_audio, read_clip, read_frames
from cavmae_sync.media.sampling import SamplingRule, sample_times
from cavmae_sync.media.write import write_video

__all__ = [
    "AudioInfo",
    "Clip",
    "MediaInfo",
    "Playback",
    "SamplingRule",
    "VideoInfo",
    "iterate_clips",
    "passed_over",
    "playback",
    "probe",
    "read_audio",
    "read_clip",
    "read_frames",
    "sample_times",
    "write_video",
]

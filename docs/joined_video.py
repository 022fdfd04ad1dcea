"""Write a video of a minute with planted faults: `python docs/joined_video.py STAGE VIDEO`.

Six clips of a stage, one after the other. From 0:20 to 0:36 the sound is that of two other clips, and
from 0:48 to 0:55 there is none.
"""

import sys
from pathlib import Path

import numpy as np

from cavmae_sync.media import read_clip, write_video
from cavmae_sync.paper import SAMPLE_RATE_HZ

FOREIGN_SECONDS = (20, 36)
SILENT_SECONDS = (48, 55)
FRAMES_PER_SECOND = 8


def main(stage: Path, out: Path) -> None:
    """Join the clips of a stage with its first eight names, and plant the faults."""
    paths = sorted((stage / "clips").glob("*.mp4"))[:8]
    clips = [read_clip(path, num_frames=10 * FRAMES_PER_SECOND) for path in paths]
    frames = [frame_HWC for clip in clips[:6] for frame_HWC in clip.frames_THWC]
    waveform_S = np.concatenate([clip.waveform_S for clip in clips[:6]])
    foreign_S = np.concatenate([clip.waveform_S for clip in clips[6:]])
    start, stop = (seconds * SAMPLE_RATE_HZ for seconds in FOREIGN_SECONDS)
    waveform_S[start:stop] = foreign_S[: stop - start]
    start, stop = (seconds * SAMPLE_RATE_HZ for seconds in SILENT_SECONDS)
    waveform_S[start:stop] = 0
    write_video(out, frames, frames_per_second=FRAMES_PER_SECOND, waveform_S=waveform_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

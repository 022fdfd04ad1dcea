"""Source of `exchange/proof_clip.mp4`, byte for byte: python -m benchmarks.make_proof_clip OUT.mp4.

A generated clip: 10 s of 256 x 192 pixels at 8 frames per second, with stereo sound at 44.1 kHz. Its frames
are not square and its sample rate is not the model's: a pipeline that squashes frames, or does not resample,
gives other vectors.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.signal import resample_poly

from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage import StageConfig
from cavmae_sync.stage.generate import generate_clip
from cavmae_sync.stage.procedural import ProceduralPack

RATE_HZ = 44_100
FRAMES_PER_SECOND = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--index", type=int, default=3)
    arguments = parser.parse_args()
    config = StageConfig(
        split="validation",
        variant="easy",
        frame_pixels=256,
        frames_per_second=FRAMES_PER_SECOND,
        min_objects=3,
        max_objects=3,
        silent_fraction=0.0,
        off_stage_fraction=0.0,
    )
    clip = generate_clip(arguments.index, config=config, pack=ProceduralPack())
    left = resample_poly(clip.waveform_S, RATE_HZ, SAMPLE_RATE_HZ)
    right = -0.3 * np.roll(left, RATE_HZ // 2)
    stereo = np.clip(np.stack([left, right]), -1, 1).astype(np.float32)
    with av.open(str(arguments.out), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream(
            "libx264", rate=FRAMES_PER_SECOND, options={"preset": "veryslow", "crf": "30"}
        )
        audio = container.add_stream("aac", rate=RATE_HZ, layout="stereo")
        video.width, video.height, video.pix_fmt, audio.bit_rate = 256, 192, "yuv420p", 80_000
        per_frame = RATE_HZ // FRAMES_PER_SECOND
        for number, frame_HWC in enumerate(clip.frames_THWC):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC[32:224]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            container.mux(video.encode(frame))
        for start in range(0, stereo.shape[1], per_frame):
            part = np.ascontiguousarray(stereo[:, start : start + per_frame])
            sound = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


if __name__ == "__main__":
    main()

"""Reconstruction: what the model predicts where patches of a frame and of its sound are hidden.

A pair of prepared clips comes in, or a video file. Out come frames and segments with hidden places predicted,
errors beside those of simple guesses, a figure, and sound.

    pair_reconstruction     one (frame, segment) pair: predict, and put patches back
    video_reconstruction    one moment of a video file
    figure                  original, seen, prediction and composite, side by side
"""

from cavmae_sync.tasks.reconstruction.pair_reconstruction import clip_reconstruction_figure, reconstruct_pair
from cavmae_sync.tasks.reconstruction.video_reconstruction import (
    HidingConfig,
    VideoReconstruction,
    reconstruct_video,
)

__all__ = [
    "HidingConfig",
    "VideoReconstruction",
    "clip_reconstruction_figure",
    "reconstruct_pair",
    "reconstruct_video",
]

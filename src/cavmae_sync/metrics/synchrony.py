"""Synchrony: how much better sound and frames of a clip fit at the same time than at other times.

Letters: N clips, T frames per clip and shifts; a shift wraps around.
"""

import torch
from torch import Tensor


def shift_means(audio_NTD: Tensor, visual_NTD: Tensor) -> Tensor:
    """Mean cosine of each clip's sounds with its own frames, for every shift of the sound in frames.

    Args:
        audio_NTD: Unit vectors of the sounds.
        visual_NTD: Unit vectors of the frames at the same times.

    Returns:
        [N, T]; column 0 is the diagonal, column k compares the sound of frame t with frame t + k. The shift
        wraps around, so that each column is a mean of T cosines.

    >>> sounds = torch.eye(3)[None]
    >>> shift_means(sounds, sounds.roll(1, dims=1)).tolist()
    [[0.0, 1.0, 0.0]]
    """
    shifted = [
        (audio_NTD * visual_NTD.roll(-k, dims=1)).sum(dim=2).mean(dim=1) for k in range(audio_NTD.shape[1])
    ]
    return torch.stack(shifted, dim=1)


def has_diagonal(shift_means_NT: Tensor) -> Tensor:
    """Whether sound and frames fit best without a shift: bool [N]; chance is 1 / T.

    A shift keeps the content of a clip and how slowly it changes; only the time is wrong. So a clip that fits
    better than all its shifts must have been aligned in time. An equal shift counts against it.

    >>> has_diagonal(torch.tensor([[0.5, 0.2, 0.4], [0.5, 0.5, 0.1]])).tolist()
    [True, False]
    """
    if shift_means_NT.shape[1] < 2:
        return torch.zeros(len(shift_means_NT), dtype=torch.bool, device=shift_means_NT.device)
    return shift_means_NT[:, 0] > shift_means_NT[:, 1:].amax(dim=1)

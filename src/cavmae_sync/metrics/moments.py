"""Moment accuracy: which of the T sounds of a clip belongs to this frame, and which frame to this sound?

Only moments of one clip are compared, so what a clip is about cannot help.

Letters: N clips, T moments per clip (queries, then candidates), K offsets.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


def moment_choices(queries_NTD: Tensor, candidates_NTD: Tensor) -> Tensor:
    """Answer of every moment: the candidate of the same clip that is most similar to it.

    Args:
        queries_NTD: Vectors of the moments that ask, of one modality.
        candidates_NTD: Vectors of the moments that are asked, of the other modality.

    Returns:
        float64 [N, T, T]: share of query t's answer that goes to candidate s. It is 1 for the only best
        candidate, 1 / k for each of k equally good ones, and 0 for all where no score is a number.

    >>> moment_choices(torch.eye(2)[None], torch.eye(2)[None]).tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """
    if queries_NTD.ndim != 3 or queries_NTD.shape != candidates_NTD.shape:
        raise ValueError(
            "Each clip needs as many moments of one modality as of the other, got "
            f"{tuple(queries_NTD.shape)} and {tuple(candidates_NTD.shape)}."
        )
    candidates_NTD = candidates_NTD.float()
    # Sums, not a matrix product: that may round equal candidates otherwise at another place, and ties break.
    scores = [
        (queries_NTD[:, t, None].float() * candidates_NTD).sum(dim=2) for t in range(queries_NTD.shape[1])
    ]
    scores_NTT = torch.stack(scores, dim=1).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
    best_NT1 = scores_NTT.amax(dim=2, keepdim=True)
    is_best_NTT = (scores_NTT == best_NT1) & (best_NT1 > -torch.inf)
    return is_best_NTT.double() / is_best_NTT.sum(dim=2, keepdim=True).clamp_min(1)


def moment_accuracy(choices_NTT: Tensor, hits_NTT: Tensor) -> Tensor:
    """Share of each clip's moments whose answer is right: float64 [N] in [0, 1], larger is better.

    A tie counts by the share of right ones among the equally good candidates. Guessing gives
    `moment_chance(hits_NTT)`.

    Args:
        choices_NTT: Result of `moment_choices`.
        hits_NTT: bool; candidates that are right for each query: `own_moments`, or `equal_moments` where the
            truth is known.
    """
    return (choices_NTT * hits_NTT).sum(dim=2).mean(dim=1)


def moment_chance(hits_NTT: Tensor) -> Tensor:
    """Moment accuracy of guessing: the mean share of right candidates of each clip, float64 [N]."""
    return hits_NTT.double().mean(dim=(1, 2))


def own_moments(num_clips: int, num_frames: int) -> Tensor:
    """Hits where only a moment's own time is right: bool [N, T, T]; the chance is 1 / T."""
    return torch.eye(num_frames, dtype=torch.bool).expand(num_clips, -1, -1)


def equal_moments(states_NT: Tensor) -> Tensor:
    """Moments of a clip that cannot be told apart, because their true states are the same.

    Args:
        states_NT: int64, number of the state of each moment.

    Returns:
        bool [N, T, T]; each moment equals itself.

    >>> equal_moments(torch.tensor([[0, 0, 1]])).int().tolist()
    [[[1, 1, 0], [1, 1, 0], [0, 0, 1]]]
    """
    return states_NT[:, :, None] == states_NT[:, None, :]


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetCurve:
    """How often the best sound of a frame is the one d frames later.

    Attributes:
        offsets_K: int64, d from -(T - 1) to T - 1: number of the sound minus number of the frame.
        shares_K: float64 in [0, 1]; among the moments that have a sound d frames later. Chance is 1 / T for
            every d. At d = 0 it is the moment accuracy.
    """

    offsets_K: Tensor
    shares_K: Tensor


def offset_curve(choices_NTT: Tensor, *, queries_are_sounds: bool) -> OffsetCurve:
    """Curve of the moment accuracy over the offset between sound and frame.

    Of a model whose sounds lead or lag, the highest point is not at 0. Both directions count the same way, so
    their curves of one model have their highest point at the same offset.

    Args:
        choices_NTT: Result of `moment_choices`.
        queries_are_sounds: Whether the queries are sounds and the candidates frames.
    """
    num_frames = choices_NTT.shape[1]
    # Rows become frames, columns sounds.
    choices_NTT = choices_NTT.transpose(1, 2) if queries_are_sounds else choices_NTT
    offsets_K = torch.arange(1 - num_frames, num_frames)
    shares = [choices_NTT.diagonal(offset, dim1=1, dim2=2).mean() for offset in offsets_K.tolist()]
    return OffsetCurve(offsets_K=offsets_K, shares_K=torch.stack(shares))

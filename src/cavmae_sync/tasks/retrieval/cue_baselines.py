"""Baselines that learn nothing: a curve of the sound against a curve of the picture.

"The picture gets brighter when the sound gets louder" is a rule of three lines. Where it is as good as a
model, the model's number does not show that it has learned anything else.

Letters: N clips, L lags, T frames per clip, K numbers of a lifted curve.
"""

import torch
from torch import Tensor

from cavmae_sync.tasks.retrieval.clip_cues import ClipCues
from cavmae_sync.tasks.retrieval.measures import Measures, Pair, measure_pairs


def cue_baselines(cues: ClipCues, *, hits_NTT: Tensor | None = None) -> dict[str, Measures]:
    """Measures of every cue of the sound against every cue of the picture.

    Args:
        cues: Cues of all clips.
        hits_NTT: Moments of a clip with the same true state; None where no truth is known.

    Returns:
        By name, for example "loudness against brightness".
    """
    return {
        f"{sound} against {picture}".replace("_", " "): compare_curves(
            sound_NLT, picture_NT, hits_NTT=hits_NTT
        )
        for sound, sound_NLT in cues.sounds.items()
        for picture, picture_NT in cues.pictures.items()
    }


def compare_curves(sound_NLT: Tensor, picture_NT: Tensor, *, hits_NTT: Tensor | None = None) -> Measures:
    """Measures of the rule that two curves go up and down together, or against each other.

    - WHEN, and both: the correlation of the two curves over the frames of a clip.
    - WHAT: how near the means of the two curves are, each measured by its spread over all clips.
    - moment: the sound whose curve is nearest to that of the frame, each measured by its spread in the clip.

    The lag, and whether up goes with up or with down, are those that correlate most on the clips that are
    measured: the rule may look at the answers for these two choices, which can only favour it.

    Args:
        sound_NLT: Curve of the sound of each clip, at several lags.
        picture_NT: Curve of the frames of the same clips.
        hits_NTT: Moments of a clip with the same true state; None where no truth is known.
    """
    sound_NLT, picture_NT = sound_NLT.double(), picture_NT.double()
    sound_changes_NLT, picture_change_NT = _standardised(sound_NLT, dim=2), _standardised(picture_NT, dim=1)
    correlations_L = (sound_changes_NLT * picture_change_NT[:, None]).mean(dim=(0, 2))
    lag = int(correlations_L.abs().argmax())
    sound_change_NT = sound_changes_NLT[:, lag] * _sign(correlations_L[lag])
    sound_mean_N1, picture_mean_N1 = (
        _standardised(each_NT.mean(dim=1, keepdim=True), dim=0) for each_NT in (sound_NLT[:, lag], picture_NT)
    )
    sound_mean_N1 = sound_mean_N1 * _sign((sound_mean_N1 * picture_mean_N1).mean())
    # The mean over frames of products of standardised curves is their correlation.
    changes = Pair(
        audio_NTD=sound_change_NT[..., None].float(), visual_NTD=picture_change_NT[..., None].float()
    )
    if picture_NT.shape[1] == 1:
        return measure_pairs({"both": nearness(sound_mean_N1, picture_mean_N1)}, moment=None)
    return measure_pairs(
        {"both": changes, "what": nearness(sound_mean_N1, picture_mean_N1), "when": changes},
        moment=nearness(sound_change_NT, picture_change_NT),
        hits_NTT=hits_NTT,
        num_unchanging=sum(
            int((each_NT == 0).all(dim=1).sum()) for each_NT in (sound_change_NT, picture_change_NT)
        ),
    )


def nearness(sound_NT: Tensor, picture_NT: Tensor) -> Pair:
    """Vectors whose dot product is minus the squared distance of two numbers: -(s - p)^2."""
    one_NT = torch.ones_like(sound_NT)
    sound_NTK = torch.stack([2 * sound_NT, -(sound_NT**2), -one_NT], dim=-1)
    picture_NTK = torch.stack([picture_NT, one_NT, picture_NT**2], dim=-1)
    return Pair(audio_NTD=sound_NTK.float(), visual_NTD=picture_NTK.float())


def _standardised(curves_NT: Tensor, *, dim: int) -> Tensor:
    """Curves minus their mean, divided by their deviation; 0 where they do not change."""
    left_NT = curves_NT - curves_NT.mean(dim=dim, keepdim=True)
    deviation = left_NT.square().mean(dim=dim, keepdim=True).sqrt()
    return torch.where(deviation > 1e-9, left_NT / deviation.clamp_min(1e-9), 0.0)


def _sign(correlation: Tensor) -> float:
    return -1.0 if float(correlation) < 0 else 1.0

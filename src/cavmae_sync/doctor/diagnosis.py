"""Diagnosis: do sound and picture agree better with a fault undone?

The measure is the win rate: the share of other clips that score lower than a clip's own partner, in both
directions; 1/2 is chance, 1 is perfect. It has no scale, so a change that only stretches scores gains
nothing. The win rates with and without a fault are compared clip by clip.

Letters: N clips, F checked frames, D width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.doctor.fault_probe import FaultProbe, Vectors, checked_frames
from cavmae_sync.doctor.faults import FAULTS, Fault
from cavmae_sync.embedding import similarity_matrix
from cavmae_sync.model import CAVMAESync

#: Standard errors of the gain that are needed to name a fault: over all faults of the catalogue, chance
#: exceeds them in fewer than one of two hundred healthy datasets.
LEAST_Z: Final = 3.5
#: Gain of the mean win rate that is needed too.
LEAST_GAIN: Final = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultTrial:
    """Effect of undoing one fault.

    Attributes:
        fault: The fault.
        before: Mean win rate as things are.
        after: Mean win rate with the fault undone.
        margin_before: Mean cosine of matched pairs above mismatched ones, as things are.
        margin_after: The same with the fault undone.
        z: `standard_score` of the gains of clips.
    """

    fault: Fault
    before: float
    after: float
    margin_before: float
    margin_after: float
    z: float

    @property
    def helps(self) -> bool:
        """Whether undoing the fault helps beyond noise."""
        return self.z >= LEAST_Z and self.after - self.before >= LEAST_GAIN


def win_rates(vectors: Vectors) -> Tensor:
    """Win rate of each clip, mean of both directions; ties count half. float32 [N]."""
    similarity_NN = similarity_matrix(vectors.audio_NFD, vectors.visual_NFD)
    own_N = similarity_NN.diag()
    shares = [_win_rates(own_N[:, None], scores_NN) for scores_NN in (similarity_NN, similarity_NN.T)]
    return (shares[0] + shares[1]) / 2


def margins(vectors: Vectors) -> Tensor:
    """Cosine of each clip's own pair minus its mean cosine with the partners of other clips. float32 [N]."""
    similarity_NN = similarity_matrix(vectors.audio_NFD, vectors.visual_NFD)
    own_N = similarity_NN.diag()
    others_N = (similarity_NN.sum(0) + similarity_NN.sum(1) - 2 * own_N) / (2 * (len(own_N) - 1))
    return own_N - others_N


def try_faults(fault_probe: FaultProbe, faults: Sequence[Fault] = FAULTS) -> list[FaultTrial]:
    """Effect of undoing each fault that the model can have, one at a time."""
    return [
        _trial(fault_probe, fault)
        for fault in applicable(faults, fault_probe.embedder.model, fault_probe.num_frames)
    ]


def applicable(faults: Sequence[Fault], model: CAVMAESync, num_frames: int) -> list[Fault]:
    """Faults that can be undone and that can occur with this model."""
    return [fault for fault in faults if fault.undone is not None and fault.applies(model, num_frames)]


def num_encodings(model: CAVMAESync, num_frames: int) -> int:
    """Number of encodings in all trials, for a progress bar."""
    chosen = len(checked_frames(num_frames))
    changes = [fault.undone for fault in applicable(FAULTS, model, num_frames)]
    sides = [
        (change.frames is not None)
        + (change.segments is not None or change.waveform is not None or change.sound_times != (1, 1))
        + 2 * (change.model is not None)
        for change in changes
        if change is not None
    ]
    return chosen * (2 + 1 + sum(sides)) + 2 * chosen


def standard_score(gains_N: Tensor) -> float:
    """Mean over its standard error, converted to a standard normal score; 0 where nothing changes at all.

    The standard deviation of few clips is uncertain: a ratio of 3.5 from 20 clips is no rarer than a normal
    score of 3.0.

    Source:
        Wallace 1959, Bounds on normal approximations to Student's distribution, eq. for z of t.
    """
    mean, spread, free = float(gains_N.mean()), float(gains_N.std()), len(gains_N) - 1
    if spread == 0 or math.isnan(spread):
        return 0.0
    ratio = mean / (spread / math.sqrt(len(gains_N)))
    z = (8 * free + 1) / (8 * free + 3) * math.sqrt(free * math.log1p(ratio**2 / free))
    return math.copysign(z, ratio)


def _trial(fault_probe: FaultProbe, fault: Fault) -> FaultTrial:
    if fault.undone is None:
        raise ValueError(f"{fault.name} cannot be undone.")
    frames = checked_frames(fault_probe.num_frames, covered=fault.undone.covered)
    before = fault_probe.vectors(frames=frames)
    after = fault_probe.vectors(fault.undone, frames=frames)
    wins_before_N, wins_after_N = win_rates(before), win_rates(after)
    return FaultTrial(
        fault=fault,
        before=float(wins_before_N.mean()),
        after=float(wins_after_N.mean()),
        margin_before=float(margins(before).nanmean()),
        margin_after=float(margins(after).nanmean()),
        z=standard_score(wins_after_N - wins_before_N),
    )


def _win_rates(own_N1: Tensor, scores_NN: Tensor) -> Tensor:
    """Win rate of each row; a NaN beats nothing and is beaten by nothing."""
    own_N1 = own_N1.nan_to_num(-torch.inf)
    scores_NN = scores_NN.nan_to_num(-torch.inf)
    points_NN = (own_N1 > scores_NN).float() + 0.5 * (own_N1 == scores_NN).float()
    return (points_NN.sum(1) - 0.5) / (len(scores_NN) - 1)  # the pair itself is a tie

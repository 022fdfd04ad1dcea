"""Checks on the vectors of a dataset: do sound and picture of a clip belong together?

Letters: N clips, F checked frames, R permutations.
"""

from typing import Final

import torch
from torch import Tensor

from cavmae_sync.doctor.diagnosis import LEAST_Z, FaultTrial, margins, standard_score, try_faults, win_rates
from cavmae_sync.doctor.fault_probe import FaultProbe, Vectors
from cavmae_sync.doctor.report import Finding
from cavmae_sync.embedding import similarity_matrix

#: Least clips for these checks: fewer allow no claim.
LEAST_CLIPS: Final = 20
_NUM_PERMUTATIONS: Final = 1000
#: Largest p value with which matched pairs count as better than chance.
_MOST_CHANCE: Final = 0.01


def too_few(fault_probe: FaultProbe, check: str) -> Finding | None:
    """Finding of a check that needs more clips than there are; None where there are enough."""
    count = len(fault_probe.clips)
    if count >= LEAST_CLIPS:
        return None
    return Finding(
        check=check,
        status="unknown",
        measured=f"{count} {'clip' if count == 1 else 'clips'}; {LEAST_CLIPS} allow a claim",
    )


def check_matched(fault_probe: FaultProbe, *, seed: int = 0) -> Finding:
    """Check that the sound of a clip is closer to its own picture than to others, beyond chance."""
    if (skipped := too_few(fault_probe, "matched pairs")) is not None:
        return skipped
    vectors = fault_probe.vectors()
    broken = sum(int((~rows.isfinite()).any(-1).sum()) for rows in (vectors.audio_NFD, vectors.visual_NFD))
    if broken:
        return Finding(
            check="matched pairs",
            status="FAIL",
            measured=f"{broken} vectors of {vectors.audio_NFD.shape[:2].numel() * 2} are not finite",
            advice="Use float32; if that does not help, the weights are damaged",
        )
    share, margin, p = (
        float(win_rates(vectors).mean()),
        float(margins(vectors).mean()),
        _chance(vectors, seed),
    )
    measured = (
        f"a clip's own partner beats {share:.1%} of the others, margin {margin:+.3f}, p = {p:.2g} "
        f"({len(vectors.audio_NFD)} clips)"
    )
    if p <= _MOST_CHANCE:
        return Finding(check="matched pairs", status="ok", measured=measured)
    return Finding(
        check="matched pairs",
        status="FAIL",
        measured=measured,
        needed=f"above 50 %, p at most {_MOST_CHANCE:g}",
        advice="The model knows nothing about these clips. See the other failures; if there are none, the "
        "weights are untrained or were trained on other material",
    )


def check_shuffled(fault_probe: FaultProbe, *, seed: int = 0) -> Finding:
    """Check that frames with the sounds of other clips are at chance.

    The sounds are encoded again in the order of the shuffled pairs. If vectors depend on their place in the
    list or batch, and not only on the clip, shuffled pairs agree.
    """
    if (skipped := too_few(fault_probe, "shuffled pairs")) is not None:
        return skipped
    count = len(fault_probe.clips)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    others = torch.empty_like(order)
    others[order] = order.roll(1)  # no clip keeps its own sound
    shares_N = win_rates(fault_probe.shuffled(others.tolist()))
    z = standard_score(shares_N - 0.5)
    measured = f"a random partner beats {float(shares_N.mean()):.1%} of the others (z = {z:.1f})"
    if abs(z) < LEAST_Z:
        return Finding(check="shuffled pairs", status="ok", measured=measured)
    return Finding(
        check="shuffled pairs",
        status="FAIL",
        measured=measured,
        needed="50 % within noise",
        advice="Vectors depend on the place in the list or in the batch, or clips occur more than once",
    )


def check_within(fault_probe: FaultProbe) -> Finding:
    """Check that within a clip a frame is closest to the sound of its own moment."""
    if (skipped := too_few(fault_probe, "within clips")) is not None:
        return skipped
    if fault_probe.num_frames < 2:
        return Finding(check="within clips", status="skipped", measured="clips of one frame")
    vectors = fault_probe.vectors()
    cosines_NFF = vectors.audio_NFD @ vectors.visual_NFD.transpose(1, 2)
    num_checked = cosines_NFF.shape[1]
    own_N = cosines_NFF.diagonal(dim1=1, dim2=2).mean(-1)
    others_N = (cosines_NFF.sum((1, 2)) - own_N * num_checked) / (num_checked * (num_checked - 1))
    z = standard_score(own_N - others_N)
    measured = f"same moment above other moments by {float((own_N - others_N).mean()):+.3f} (z = {z:.1f})"
    if z >= 3:
        return Finding(check="within clips", status="ok", measured=measured)
    return Finding(
        check="within clips",
        status="note",
        measured=f"{measured}: these vectors do not tell moments of a clip apart",
        advice="A weak model, clips in which nothing changes, or frames in another order",
    )


def check_faults(fault_probe: FaultProbe) -> Finding:
    """Check that undoing no fault of the catalogue makes sound and picture agree better."""
    if (skipped := too_few(fault_probe, "known faults")) is not None:
        return skipped
    tried = try_faults(fault_probe)
    helpful = sorted((trial for trial in tried if trial.helps), key=lambda trial: trial.after, reverse=True)
    if not helpful:
        nearest = max(tried, key=lambda trial: trial.z)
        return Finding(
            check="known faults",
            status="ok",
            measured=f"undoing none of {len(tried)} makes pairs agree better (nearest: "
            f"{nearest.fault.name.replace('_', ' ')}, z = {nearest.z:.1f})",
        )
    best = helpful[0]
    also = ", ".join(trial.fault.name.replace("_", " ") for trial in helpful[1:4])
    return Finding(
        check="known faults",
        status="FAIL",
        measured=f"{best.fault.seems}: {_effect_text(best)}{'; less so: ' + also if also else ''}",
        advice=best.fault.advice,
    )


def _effect_text(trial: FaultTrial) -> str:
    return (
        f"undoing it raises the margin from {trial.margin_before:+.3f} to {trial.margin_after:+.3f} and the "
        f"others that a partner beats from {trial.before:.1%} to {trial.after:.1%} (z = {trial.z:.1f})"
    )


def _chance(vectors: Vectors, seed: int) -> float:
    """P value of the mean score of true pairs among random pairings."""
    similarity_NN = similarity_matrix(vectors.audio_NFD, vectors.visual_NFD)
    count = len(similarity_NN)
    generator = torch.Generator().manual_seed(seed)
    pairings_RN = torch.stack([torch.randperm(count, generator=generator) for _ in range(_NUM_PERMUTATIONS)])
    means_R: Tensor = similarity_NN[torch.arange(count), pairings_RN].mean(-1)
    as_high = int((means_R >= similarity_NN.diag().mean()).sum())
    return (1 + as_high) / (1 + _NUM_PERMUTATIONS)  # the true pairing is one of them: never 0

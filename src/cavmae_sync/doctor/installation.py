"""Checks of the installation with the package's clip: decoder, spectrogram, and vectors in the header."""

from cavmae_sync.doctor.examined_model import ExaminedModel
from cavmae_sync.doctor.pipeline_vectors import ClipVectors, explain
from cavmae_sync.doctor.report import Finding
from cavmae_sync.exchange.proof import (
    PROOF_FRAMES,
    ProofCheck,
    check_preprocessing,
    check_proof,
    proof_vectors,
)
from cavmae_sync.weights import weights_fingerprint

_ADVICE = {
    "decoding": "This version of FFmpeg or PyAV decodes other frames; constraints.txt lists tested ones",
    "spectrogram": "The sound is decoded or resampled otherwise, or the filter bank was changed",
    "pictures": "Resizing or the ImageNet normalisation differs from when the weights were converted",
    "sound": "The spectrogram or its normalisation differs from when the weights were converted",
    "model": "Inputs are equal, so the weights or the shape of the model differ. Convert the original again",
}


def check_decoder(_examined: ExaminedModel) -> list[Finding]:
    """Check that frames and log-mel of the clip are the known ones; no weights are needed."""
    return [_finding(check, name=check.stage) for check in check_preprocessing()]


def check_known_vectors(examined: ExaminedModel) -> list[Finding]:
    """Check that the model gives the vectors that it gave when the weights were converted."""
    proof = examined.provenance.proof
    if proof is None:
        is_start = examined.provenance.layout in {"mae", "timm", "huggingface"}
        why = (
            "weights to start a training from have no vectors to prove"
            if is_start
            else ("the weights carry no proof; `cavmae-sync convert` writes one into the header")
        )
        return [Finding(check="proof", status="skipped", measured=why)]
    stages = check_proof(examined.embedder, proof)
    wrong = next((check for check in stages if not check.is_equal), None)
    if wrong is None:
        worst = max(stages, key=lambda check: check.difference / check.tolerance)
        return [
            Finding(
                check="proof",
                status="ok",
                measured=f"pictures, sound and vectors of the clip are those of the header "
                f"({worst.stage} differs most, by {worst.difference:.2g} {worst.unit})",
            )
        ]
    known = proof_vectors(proof)
    theirs = ClipVectors(audio_FD=known.audio_PD, visual_FD=known.visual_PD, frames=PROOF_FRAMES)
    because = explain(examined.embedder, theirs, equal=stages[-1].tolerance)
    off = f"{wrong.stage} of the clip: off by {wrong.difference:.3g} {wrong.unit}"
    if known.weights != weights_fingerprint(examined.model):
        off += "; the weights are not those that the proof was made with"
    return [
        Finding(
            check="proof",
            status="FAIL",
            measured=f"{off}; {because}",
            needed=f"at most {wrong.tolerance:g}",
            advice=_ADVICE[wrong.stage],
        )
    ]


def _finding(check: ProofCheck, *, name: str) -> Finding:
    measured = f"the package's clip is off by {check.difference:.2g} {check.unit}"
    if check.is_equal:
        return Finding(check=name, status="ok", measured=measured)
    return Finding(
        check=name,
        status="FAIL",
        measured=measured,
        needed=f"at most {check.tolerance:g}",
        advice=_ADVICE[check.stage],
    )

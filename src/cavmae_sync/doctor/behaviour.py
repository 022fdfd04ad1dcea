"""Checks on how a model computes: the same inputs must give the same vectors in any batch.

Letters: P frames of the clip, L spectrogram frames, M mel bins, C channels, H W pixels, N rows, D width.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.choices import Precision
from cavmae_sync.doctor.examined_model import ExaminedModel
from cavmae_sync.doctor.report import Finding
from cavmae_sync.embedding import Embedder
from cavmae_sync.exchange.proof import PROOF_FRAMES, read_proof_clip
from cavmae_sync.inputs import ModelInput, cut_segments, log_mel, model_input

#: Largest distance of two unit vectors of the same input in other batches: rounding of matrix products.
_TOLERANCES: Final[Mapping[Precision, float]] = MappingProxyType(
    {"float32": 1e-3, "float16": 0.02, "bfloat16": 0.1, "int8": 0.1}
)
#: Spectrogram rows kept after the window when the rest is cut off.
_ROWS_KEPT_AFTER: Final = 32


def probe_inputs(examined: ExaminedModel) -> ModelInput:
    """Frames of the package's clip, and their segments."""
    inputs = model_input(read_proof_clip(), examined.model.config.inputs)
    chosen = list(PROOF_FRAMES)
    return ModelInput(frames_TCHW=inputs.frames_TCHW[chosen], segments_TLM=inputs.segments_TLM[chosen])


def check_behaviour(examined: ExaminedModel) -> list[Finding]:
    """Checks of `check_inputs` on the package's clip."""
    inputs = probe_inputs(examined)
    return check_inputs(examined, inputs, of="the package's clip")


def check_inputs(examined: ExaminedModel, inputs: ModelInput, *, of: str) -> list[Finding]:
    """Checks that vectors are finite, repeatable, and independent of the batch and of what follows.

    Args:
        examined: The model.
        inputs: At least two frames.
        of: Origin of the inputs, for the message.
    """
    vectors_RD = _vectors(examined.embedder, inputs)
    finite = _finite(examined, inputs, vectors_RD, of=of)
    if finite.status == "FAIL":
        return [finite]
    return [
        finite,
        _same(
            examined,
            "determinism",
            vectors_RD,
            lambda: _vectors(examined.embedder, inputs),
            "computed twice",
            "Turn off what is random at inference, and set the model to evaluation mode",
        ),
        _same(
            examined,
            "batch and order",
            vectors_RD,
            lambda: _one_by_one(examined.embedder, inputs),
            f"{len(inputs.frames_TCHW)} at once and one by one, backwards",
            "Rows of a batch influence each other. Look for batch statistics, or for attention to padding",
        ),
        _padding(examined),
    ]


def _vectors(embedder: Embedder, inputs: ModelInput) -> Tensor:
    sounds_PD = embedder.embed_segments(inputs.segments_TLM)
    return torch.cat([sounds_PD, embedder.embed_frames(inputs.frames_TCHW).visual_PD])


def _one_by_one(embedder: Embedder, inputs: ModelInput) -> Tensor:
    # Backwards, so that neither the batch nor the order is the same.
    last_first = range(len(inputs.frames_TCHW) - 1, -1, -1)
    sounds = [embedder.embed_segments(inputs.segments_TLM[i : i + 1]) for i in last_first]
    frames = [embedder.embed_frames(inputs.frames_TCHW[i : i + 1]).visual_PD for i in last_first]
    return torch.cat([*sounds[::-1], *frames[::-1]])


def _finite(examined: ExaminedModel, inputs: ModelInput, vectors_RD: Tensor, *, of: str) -> Finding:
    broken = int((~vectors_RD.isfinite()).any(dim=-1).sum())
    precision = examined.embedder.precision
    if not broken:
        measured = f"{len(vectors_RD)} vectors of {of} in {precision}"
        return Finding(check="finite vectors", status="ok", measured=measured)
    measured = f"{broken} of {len(vectors_RD)} vectors of {of} are not finite in {precision}"
    advice = "The weights are damaged, or the training diverged. Take an earlier checkpoint"
    if precision != "float32":
        careful = examined.embedder.replace(precision="float32")
        if bool(_vectors(careful, inputs).isfinite().all()):
            measured += ", all are in float32: the numbers overflow, 65504 is the largest of float16"
            advice = "Use --precision bfloat16 or float32"
    return Finding(check="finite vectors", status="FAIL", measured=measured, advice=advice)


def _same(
    examined: ExaminedModel, name: str, vectors_RD: Tensor, again: Callable[[], Tensor], how: str, advice: str
) -> Finding:
    apart = float(torch.linalg.vector_norm(again() - vectors_RD, dim=-1).max())
    tolerance = _TOLERANCES[examined.embedder.precision]
    measured = f"{how}: vectors differ by {apart:.1g} at most"
    if apart <= tolerance:  # also false for NaN
        return Finding(check=name, status="ok", measured=measured)
    return Finding(
        check=name, status="FAIL", measured=measured, needed=f"at most {tolerance:g}", advice=advice
    )


def _padding(examined: ExaminedModel) -> Finding:
    """Check that a segment's vector does not depend on sound that comes after it."""
    config = examined.model.config.inputs.model_copy(update={"alignment": "padded"})
    clip = read_proof_clip()
    spectrogram_NM = log_mel(clip.waveform_S)
    stop = config.segment_length + _ROWS_KEPT_AFTER
    whole, cut = (
        cut_segments(rows_NM, frame_seconds=clip.frame_seconds_T, frame_indices=[0], config=config)
        for rows_NM in (spectrogram_NM, spectrogram_NM[:stop])
    )
    return _same(
        examined,
        "padding",
        examined.embedder.embed_segments(whole),
        lambda: examined.embedder.embed_segments(cut),
        "a window cut from the whole clip and from its beginning",
        "What follows a window leaks into it. Look at padding and at the mean that is subtracted",
    )

"""Check of vectors of the package's clip that another program computed with the same weights.

Vectors of sounds and of frames are compared separately, so that a fault in each is found.

Letters: F compared frames, T frames of the clip, D width.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.doctor.examined_model import ExaminedModel
from cavmae_sync.doctor.faults import FAULTS, Change
from cavmae_sync.doctor.report import Finding
from cavmae_sync.embedding import DatasetEmbeddings, Embedder
from cavmae_sync.exchange.proof import read_proof_clip
from cavmae_sync.inputs import cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.inputs.arrays import as_tensor
from cavmae_sync.inputs.frames import resize
from cavmae_sync.media import Clip
from cavmae_sync.paper import NUM_FRAMES, SPECTROGRAM_LENGTH

#: Mean distance below which vectors are equal: decoders, resizing and rounding differ a little.
_EQUAL: Final = 0.05
#: A fault explains a difference if planting it leaves at most this share of it.
_EXPLAINS: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipVectors:
    """Vectors of frames of the clip.

    Attributes:
        audio_FD: float32, unit rows.
        visual_FD: float32, unit rows.
        frames: Indices of the frames.
    """

    audio_FD: Tensor
    visual_FD: Tensor
    frames: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """Way from the clip to vectors, right or with a fault."""

    name: str
    change: Change = field(default_factory=Change)
    is_squashed: bool = False
    is_patch_mean: bool = False


def check_pipeline_vectors(examined: ExaminedModel, found: DatasetEmbeddings) -> Finding:
    """Check that vectors of another program equal ours; if not, say which fault explains the difference.

    Args:
        examined: The model that the program used.
        found: Its vectors of the clip that `doctor --write-clip` writes, one for each of 16 frames.
    """
    shape, width = tuple(found.audio_NTD.shape), examined.model.config.width
    if shape != (1, NUM_FRAMES, width):
        reason = (
            "The clip has 16 frames; ten are what CAV-MAE's extractor writes"
            if shape[1:2] == (10,)
            else "Write audio and visual as [1, 16, width] for the one clip, unit length or not"
        )
        return Finding(
            check="outside vectors",
            status="FAIL",
            measured=f"audio and visual are {list(shape)}",
            needed=f"[1, {NUM_FRAMES}, {width}]",
            advice=reason,
        )
    theirs = ClipVectors(
        audio_FD=found.audio_NTD[0], visual_FD=found.visual_NTD[0], frames=tuple(range(NUM_FRAMES))
    )
    ours = _vectors(examined.embedder, read_proof_clip(), _Way(name="ours"), theirs.frames)
    worst = max(_distance(ours.audio_FD, theirs.audio_FD), _distance(ours.visual_FD, theirs.visual_FD))
    if worst <= _EQUAL:
        return Finding(
            check="outside vectors",
            status="ok",
            measured=f"equal to ours, the mean distance is {worst:.2g}",
        )
    return Finding(
        check="outside vectors",
        status="FAIL",
        measured=explain(examined.embedder, theirs),
        needed=f"a mean distance of at most {_EQUAL:g}",
        advice="Mend the pipeline and compare again",
    )


def explain(embedder: Embedder, theirs: ClipVectors, *, equal: float = _EQUAL) -> str:
    """Explanation in words, for sound and picture: which of our vectors theirs are equal to, or closest to.

    Args:
        embedder: The model.
        theirs: Their vectors of the clip.
        equal: Mean distance up to which vectors are equal.
    """
    clip = read_proof_clip()
    ours = {way.name: _vectors(embedder, clip, way, theirs.frames) for way in _ways(embedder)}
    return "; ".join(
        f"{side}: {_nearest(theirs_FD, {name: pick(vectors) for name, vectors in ours.items()}, equal)}"
        for side, theirs_FD, pick in (
            ("sound", theirs.audio_FD, _audio),
            ("pictures", theirs.visual_FD, _visual),
        )
    )


def _audio(vectors: ClipVectors) -> Tensor:
    return vectors.audio_FD


def _visual(vectors: ClipVectors) -> Tensor:
    return vectors.visual_FD


def _nearest(theirs_FD: Tensor, ours: dict[str, Tensor], equal: float) -> str:
    distances = {name: _distance(vectors_FD, theirs_FD) for name, vectors_FD in ours.items()}
    right = distances.pop("ours")
    if right <= equal:
        return "equal to ours"
    name = min(distances, key=distances.__getitem__)
    if distances[name] <= equal:
        return f"equal to ours with this fault: {name}"
    if distances[name] <= _EXPLAINS * right:
        return (
            f"nearest to ours with this fault: {name} (distance {distances[name]:.2g} instead of {right:.2g})"
        )
    return f"distance {right:.2g} from ours, and no fault of the catalogue explains it"


def _ways(embedder: Embedder) -> list[_Way]:
    has_choice = embedder.model.config.global_token and embedder.representation == "global"
    planted = [
        _Way(name=fault.name.replace("_", " "), change=fault.planted)
        for fault in FAULTS
        if fault.planted is not None
        and not fault.planted.clip_shift
        and fault.applies(embedder.model, NUM_FRAMES)
    ]
    extra = [_Way(name="pictures squashed, not cropped", is_squashed=True)]
    if has_choice:
        extra.append(_Way(name="mean of the patches instead of the global token", is_patch_mean=True))
    return [_Way(name="ours"), *planted, *extra]


def _vectors(embedder: Embedder, clip: Clip, way: _Way, frames: tuple[int, ...]) -> ClipVectors:
    change, inputs = way.change, embedder.model.config.inputs
    if change.model is not None:
        embedder = embedder.replace(change.model(embedder.model))
    if way.is_patch_mean:
        embedder = embedder.replace(representation="patch_mean")
    order = change.frame_order
    places = frames if order is None else [order(NUM_FRAMES)[frame] for frame in frames]
    stored_FHWC = as_tensor(clip.frames_THWC)[list(places)]
    side = inputs.frame_pixels
    fit: Callable[[Tensor], Tensor] = (
        (lambda frames: resize(frames, height=side, width=side, mode="bicubic"))
        if way.is_squashed
        else (lambda frames: resize_and_crop(frames, pixels=side))
    )
    frames_FCHW = normalize_frames(fit(stored_FHWC))
    if change.frames is not None:
        frames_FCHW = change.frames(frames_FCHW)
    waveform_S = clip.waveform_S if change.waveform is None else change.waveform(clip.waveform_S)
    segments_FLM = cut_segments(
        log_mel(waveform_S)[:SPECTROGRAM_LENGTH],
        frame_seconds=clip.frame_seconds_T,
        frame_indices=frames,
        config=inputs,
    )
    if change.segments is not None:
        segments_FLM = change.segments(segments_FLM, inputs)
    return ClipVectors(
        audio_FD=embedder.embed_segments(segments_FLM),
        visual_FD=embedder.embed_frames(frames_FCHW).visual_PD,
        frames=frames,
    )


def _distance(ours_FD: Tensor, theirs_FD: Tensor) -> float:
    distance = float(torch.linalg.vector_norm(ours_FD - theirs_FD, dim=-1).mean())
    return math.inf if math.isnan(distance) else distance  # a NaN row is far from every vector

"""Proof that an installation computes the same as the one that converted the weights.

A short generated clip comes with the package. Its decoded frames and its log-mel are known for any weights.
`make_proof` records what a model computes from the clip, and `check_proof` compares, stage by stage, so that
a difference is located: decoding, spectrogram, normalised frames, normalised segments, or the model.

Letters: T frames of the clip, P compared frames, C channels, H W blocks of a frame, N rows of log-mel,
M mel bins, D width.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.atomic import written_whole
from cavmae_sync.choices import Precision
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import log_mel, model_input
from cavmae_sync.inputs.arrays import as_tensor
from cavmae_sync.media import Clip, read_clip
from cavmae_sync.paper import RGB_MEAN, RGB_STD
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights import weights_fingerprint

ProofStage = Literal["decoding", "spectrogram", "pictures", "sound", "model"]

#: Frames of the clip that are compared: enough to notice another order or other times, and quick.
PROOF_FRAMES: Final = (0, 5, 10, 15)

_VERSION: Final = 1
_CLIP: Final = "proof_clip.mp4"
_KNOWN: Final = "proof_clip.json"
_ROW_STEP: Final = 50
#: Blocks that frames and segments are averaged over, rows and columns. Decoders differ slightly in single
#: pixels, which must not matter; another frame must.
_DECODED_BLOCKS: Final = (12, 16)
_PICTURE_BLOCKS: Final = (6, 6)
_SOUND_BLOCKS: Final = (8, 32)

#: Largest differences that rounding and other decoders explain: grey levels, nepers, normalised units.
_TOLERANCES: Final[Mapping[ProofStage, float]] = {
    "decoding": 2.0,
    "spectrogram": 0.1,
    "pictures": 0.05,
    "sound": 0.05,
}
_UNITS: Final[Mapping[ProofStage, str]] = {
    "decoding": "grey levels",
    "spectrogram": "in log-mel",
    "pictures": "normalised units",
    "sound": "normalised units",
    "model": "distance of unit vectors",
}
#: Largest distance of unit vectors that differ by rounding only, by the precision they were computed in.
_MODEL_TOLERANCES: Final[Mapping[Precision, float]] = {
    "float32": 0.005,
    "float16": 0.02,
    "bfloat16": 0.1,
    "int8": 0.2,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofCheck:
    """Comparison of one stage with its known values.

    Attributes:
        stage: The stage.
        difference: Largest difference; infinity where shapes differ or a value is not finite.
        tolerance: Largest difference that is allowed.
        unit: Unit of both.
    """

    stage: ProofStage
    difference: float
    tolerance: float
    unit: str

    @property
    def is_equal(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofVectors:
    """Vectors in a proof.

    Attributes:
        audio_PD: float32, unit rows but for the rounding of float16.
        visual_PD: The same for the frames.
        weights: Fingerprint of the weights that the proof was made with.
    """

    audio_PD: Tensor
    visual_PD: Tensor
    weights: str


def read_proof_clip() -> Clip:
    """The clip of the package: 10 s, 16 frames of 256 x 192 pixels, three objects that sound."""
    with as_file(files("cavmae_sync.exchange") / _CLIP) as path:
        return read_clip(path)


def write_proof_clip(path: Path) -> None:
    """Write the clip to a file, to embed it with another program. Its sound is stereo at 44.1 kHz."""
    with written_whole(path) as part:
        part.write_bytes((files("cavmae_sync.exchange") / _CLIP).read_bytes())


def check_preprocessing() -> tuple[ProofCheck, ...]:
    """Comparison of the decoded clip and its log-mel with the values in the package, without any weights."""
    known = parse_json((files("cavmae_sync.exchange") / _KNOWN).read_text(encoding="utf-8"))
    return tuple(
        _compare(stage, values, _unpacked(known[stage]), _TOLERANCES[stage])
        for stage, values in decoded_values(read_proof_clip()).items()
    )


def decoded_values(clip: Clip) -> dict[ProofStage, Tensor]:
    """Values that the package stores of its clip: blocks of frames in grey levels, and rows of log-mel."""
    frames_PCHW = as_tensor(clip.frames_THWC)[list(PROOF_FRAMES)].permute(0, 3, 1, 2).float()
    return {
        "decoding": F.adaptive_avg_pool2d(frames_PCHW, _DECODED_BLOCKS),
        "spectrogram": log_mel(clip.waveform_S)[::_ROW_STEP],
    }


def make_proof(embedder: Embedder) -> str:
    """Proof of a model: what it computes from the clip, as text for `Provenance.proof`.

    Args:
        embedder: The model and how it computes; float32 gives the sharpest proof.

    Returns:
        JSON of about 20 kB for a model of width 768: constants, fingerprint, inputs and vectors.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    content = {
        "version": _VERSION,
        "weights": weights_fingerprint(embedder.model),
        "representation": embedder.representation,
        "precision": embedder.precision,
        "constants": _constants(embedder),
        "values": {name: _packed(values) for name, values in _values(embedder).items()},
    }
    return json.dumps(content, separators=(",", ":"))


def check_proof(embedder: Embedder, proof: str) -> tuple[ProofCheck, ...]:
    """Comparison of a model with a proof, stage by stage.

    Args:
        embedder: The model; its representation is replaced by that of the proof.
        proof: Result of `make_proof`.

    Returns:
        Checks of frames, sound and model. A model that differs while its inputs are equal has other weights
        or another shape.

    Raises:
        WeightsError: The proof cannot be read, or vectors are not finite.
    """
    known = read_proof(proof)
    same = embedder.replace(representation=known["representation"])
    tolerance = max(_MODEL_TOLERANCES[same.precision], _MODEL_TOLERANCES[known["precision"]])
    values = _values(same)
    stored = {name: _unpacked(text) for name, text in known["values"].items()}
    vectors = [
        _compare("model", values[name], stored[name], tolerance, is_vector=True)
        for name in ("audio", "visual")
    ]
    return (
        _compare("pictures", values["pictures"], stored["pictures"], _TOLERANCES["pictures"]),
        _compare("sound", values["sound"], stored["sound"], _TOLERANCES["sound"]),
        max(vectors, key=lambda check: check.difference),
    )


def read_proof(proof: str) -> dict[str, Any]:
    """Content of a proof: fingerprint, constants, representation and precision, and packed values.

    Raises:
        WeightsError: The text is not a proof, or of a later version.
    """
    try:
        content = parse_json(proof)
        version = content["version"]
        content["values"]["audio"], content["constants"], content["weights"]
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"the proof in the header cannot be read ({error}). Convert again.") from error
    if version != _VERSION:
        raise WeightsError(
            f"the proof in the header has version {version}; this program reads {_VERSION}. Convert again, "
            "or use the version of cavmae-sync that wrote it."
        )
    return content


def proof_vectors(proof: str) -> ProofVectors:
    """Vectors of a proof.

    Raises:
        WeightsError: The proof cannot be read.
    """
    known = read_proof(proof)
    audio_PD, visual_PD = (_unpacked(known["values"][name]) for name in ("audio", "visual"))
    return ProofVectors(audio_PD=audio_PD, visual_PD=visual_PD, weights=known["weights"])


def _constants(embedder: Embedder) -> dict[str, Any]:
    inputs = embedder.model.config.inputs.model_dump(mode="json")
    return {**inputs, "rgb_mean": list(RGB_MEAN), "rgb_std": list(RGB_STD)}


def _values(embedder: Embedder) -> dict[str, Tensor]:
    inputs = model_input(read_proof_clip(), embedder.model.config.inputs)
    chosen = list(PROOF_FRAMES)
    frames_PCHW, segments_PLM = inputs.frames_TCHW[chosen], inputs.segments_TLM[chosen]
    return {
        "pictures": F.adaptive_avg_pool2d(frames_PCHW, _PICTURE_BLOCKS),
        "sound": F.adaptive_avg_pool2d(segments_PLM[:, None], _SOUND_BLOCKS)[:, 0],
        "audio": embedder.embed_segments(segments_PLM),
        "visual": embedder.embed_frames(frames_PCHW).visual_PD,
    }


def _compare(
    stage: ProofStage, values: Tensor, known: Tensor, tolerance: float, *, is_vector: bool = False
) -> ProofCheck:
    difference = float("inf")
    if values.shape == known.shape and bool(values.isfinite().all()):
        apart = values - known
        norms = torch.linalg.vector_norm(apart, dim=-1) if is_vector else apart.abs()
        difference = float(norms.max())
    return ProofCheck(stage=stage, difference=difference, tolerance=tolerance, unit=_UNITS[stage])


def _packed(values: Tensor) -> dict[str, Any]:
    array: NDArray[np.float16] = values.cpu().numpy().astype("<f2")
    return {"shape": list(array.shape), "float16": base64.b64encode(array.tobytes()).decode()}


def _unpacked(packed: Mapping[str, Any]) -> Tensor:
    array = np.frombuffer(base64.b64decode(packed["float16"]), dtype="<f2").reshape(packed["shape"])
    return torch.from_numpy(array.astype(np.float32))

"""Features of a classifier: one vector for a frame and its segment, from the layer that is configured.

P (clip, frame) pairs, N clips, T frames per clip, C channels, H W pixels, L spectrogram frames per segment,
M mel bins, D width of a feature, B clips of a batch.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor

from cavmae_sync.choices import FeatureDepth, FeatureLength, Modalities, TokenKind
from cavmae_sync.config import Config
from cavmae_sync.data import ClipDataset, PreparedDataset, make_loader
from cavmae_sync.embedding.embedder import Embedder, OnProgress
from cavmae_sync.embedding.rows import differs_from_previous, finite, unit_rows
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.inputs.model_input import ModelInput
from cavmae_sync.model import CAVMAESync, Encoded, Modality, ModelConfig, segment_image


class FeatureConfig(Config):
    """Choice of the vector that represents a frame and its segment."""

    tokens: TokenKind = "global"
    """Global token, or mean of the patch tokens or of the registers."""
    modalities: Modalities = "both"
    """Sound, frames, or both concatenated."""
    depth: FeatureDepth = "encoder"
    """"encoder": before the joint layer, as published for both modalities; "joint": behind it, as retrieval;
    "official": as the released code does for one modality, the joint layer with the norms of the joint pass,
    then
    the mean of all tokens."""
    length: FeatureLength = "raw"
    """"raw": as the model gives it; "unit": divided by its length, each modality by itself, as libraries hold
    vectors."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.depth == "joint" and self.tokens == "register_mean":
            raise ValueError(
                "depth=joint has no registers: the joint layer does not get them. Use depth=encoder with "
                "tokens=register_mean."
            )
        if self.depth == "official" and (self.modalities == "both" or self.tokens != "global"):
            raise ValueError(
                "depth=official is the released code's feature of one modality, the mean of all its tokens: "
                "it needs modalities=audio or visual and leaves tokens as they are. For both modalities the "
                "released code takes depth=encoder."
            )
        return self

    @property
    def parts(self) -> tuple[Modality, ...]:
        """Modalities of a feature, in the order of their concatenation."""
        return ("audio", "visual") if self.modalities == "both" else (self.modalities,)

    def width(self, model: ModelConfig) -> int:
        """Width of a feature of such a model.

        Raises:
            ConfigError: The model has no such tokens.
        """
        lacks_global = self.tokens == "global" and self.depth != "official" and not model.global_token
        if lacks_global or (self.tokens == "register_mean" and not model.registers):
            missing = "global token" if lacks_global else "registers"
            raise ConfigError(
                f"The model has no {missing}, so features.tokens={self.tokens} is not possible. "
                "Use features.tokens=patch_mean."
            )
        return model.width * len(self.parts)


def features_of(
    model: CAVMAESync, segments_PLM: Tensor, frames_PCHW: Tensor, config: FeatureConfig
) -> Tensor:
    """Features of frames and their segments, differentiable.

    Neighbouring rows that are equal (windows of sound at the ends of a clip) are encoded once.

    Args:
        model: The backbone.
        segments_PLM: Normalised log-mel; ignored for features of frames alone.
        frames_PCHW: Normalised frames; ignored for features of sound alone.
        config: Which vector.

    Returns:
        float32 `[P, D]`, D = width of the model for one modality and twice that for both (sound first).

    Raises:
        ConfigError: The model has no such tokens.

    Source:
        The released class CAVMAEFT, without the joint pass that it computes and discards.
    """
    config.width(model.config)
    rows = {"audio": segments_PLM, "visual": frames_PCHW}
    return torch.cat([_distinct(model, rows[part], part, config) for part in config.parts], dim=1)


def features_of_inputs(embedder: Embedder, inputs: ModelInput, config: FeatureConfig) -> Tensor:
    """Features of a clip, with the embedder's precision and batches, without gradients.

    Returns:
        float32 `[T, D]` on the CPU.

    Raises:
        ConfigError: The model has no such tokens.
        WeightsError: The model gives numbers that are not finite.
    """
    parts = feature_parts(embedder, inputs.segments_TLM, inputs.frames_TCHW, config)
    return torch.cat([parts[part] for part in config.parts], dim=1)


def feature_parts(
    embedder: Embedder, segments_PLM: Tensor, frames_PCHW: Tensor, config: FeatureConfig
) -> Mapping[Modality, Tensor]:
    """Features of any pairs, without gradients, with the modalities apart.

    Returns:
        float32 `[P, D]` on the CPU for each configured modality.
    """
    config.width(embedder.model.config)
    rows: dict[Modality, Tensor] = {"audio": segments_PLM, "visual": frames_PCHW}

    def encode(part: Modality) -> Callable[[Tensor], Tensor]:
        return lambda some: _vectors(embedder.model, some, part, config)

    return {
        part: finite(embedder.distinct_rows(rows[part], encode(part)), precision=embedder.precision)
        for part in config.parts
    }


def iterate_features(
    embedder: Embedder, clips: PreparedDataset, config: FeatureConfig, *, num_workers: int = 0
) -> Iterator[Mapping[Modality, Tensor]]:
    """Features of a dataset in batches, in its order; each clip is read and encoded once.

    Yields:
        float16 `[B, T, D]` for each configured modality, as they are stored.

    Raises:
        WeightsError: A feature is not finite, or too large for float16.
    """
    loader = make_loader(
        ClipDataset(clips, inputs=embedder.model.config.inputs),
        batch_size=max(1, embedder.batch_size // clips.num_frames),
        num_workers=num_workers,
        device=embedder.device,
    )
    for batch in loader:
        parts = feature_parts(embedder, batch.segments_PLM, batch.normalized_frames(), config)
        yield {part: _half(vectors).unflatten(0, (batch.num_clips, -1)) for part, vectors in parts.items()}


def embed_features(
    embedder: Embedder,
    clips: PreparedDataset,
    config: FeatureConfig,
    *,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> Tensor:
    """Features of all clips of a dataset, in memory; `cached_features` keeps them in files.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips.
        config: Which vector.
        num_workers: Processes that read clips.
        on_progress: Called after each batch with clips done and clips in all.

    Returns:
        float16 `[N, T, D]` on the CPU.

    Raises:
        ValueError: The dataset is empty.
        WeightsError: A feature is not finite, or too large for float16.
    """
    if len(clips) == 0:
        raise ValueError("The dataset has no clips, so there is nothing to embed.")
    done: list[Tensor] = []
    num_done = 0
    for parts in iterate_features(embedder, clips, config, num_workers=num_workers):
        done.append(torch.cat([parts[part] for part in config.parts], dim=2))
        num_done += len(done[-1])
        if on_progress is not None:
            on_progress(num_done, len(clips))
    return torch.cat(done)


def _distinct(model: CAVMAESync, rows: Tensor, part: Modality, config: FeatureConfig) -> Tensor:
    is_new_P = differs_from_previous(rows)
    return _vectors(model, rows[is_new_P], part, config)[is_new_P.cumsum(0) - 1]


def _vectors(model: CAVMAESync, rows: Tensor, part: Modality, config: FeatureConfig) -> Tensor:
    vectors_PD = _raw_vectors(model, rows, part, config)
    return unit_rows(vectors_PD) if config.length == "unit" else vectors_PD


def _raw_vectors(model: CAVMAESync, rows: Tensor, part: Modality, config: FeatureConfig) -> Tensor:
    tokens = _tokens(model, rows, part, config.depth)
    if config.depth == "official":
        return tokens.to_sequence().mean(dim=1).float()
    if config.tokens == "register_mean" and tokens.register_tokens_PRD is not None:
        return tokens.register_tokens_PRD.mean(dim=1).float()
    return tokens.representation("patch_mean" if config.tokens == "patch_mean" else "global").float()


def _tokens(model: CAVMAESync, rows: Tensor, part: Modality, depth: FeatureDepth) -> Encoded:
    if depth == "joint":
        return model.encode_audio(rows) if part == "audio" else model.encode_visual(rows)
    tokens = model.audio(segment_image(rows)) if part == "audio" else model.visual(rows)
    if depth == "encoder":
        return tokens
    entering = tokens if model.joint.keeps_registers else tokens.without_registers()
    row = entering.to_sequence()
    for block in model.joint.blocks:
        row = block(row, "shared")
    return entering.from_sequence(model.joint.norm(row)).without_registers()


def _half(vectors: Tensor) -> Tensor:
    stored = vectors.half()
    if not stored.isfinite().all():
        raise WeightsError(
            f"A feature of {float(vectors.abs().max()):.3g} is too large for float16 (65504). Check the "
            "weights: such values are rarely right. With backbone=frozen features are not stored."
        )
    return stored

"""Batches in, tokens, embeddings and reconstructions out."""

from cavmae_sync.model.block import Modality
from cavmae_sync.model.cavmae_sync import CAVMAESync, PretrainOutput, RequestedOutputs
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.model.masking import Mask, MaskingConfig, MaskPair, structured_noise, take_tokens
from cavmae_sync.model.patches import patchify, segment_image, unpatchify
from cavmae_sync.model.tokens import Encoded, EncodedPair

__all__ = [
    "CAVMAESync",
    "DecoderConfig",
    "Encoded",
    "EncodedPair",
    "Mask",
    "MaskPair",
    "MaskingConfig",
    "Modality",
    "ModelConfig",
    "PretrainOutput",
    "RequestedOutputs",
    "patchify",
    "segment_image",
    "structured_noise",
    "take_tokens",
    "unpatchify",
]

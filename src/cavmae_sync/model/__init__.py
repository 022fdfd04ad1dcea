"""Batches in, tokens, embeddings and reconstructions out."""

from cavmae_sync.model.block import Modality
from cavmae_sync.model.cavmae_sync import CAVMAESync, PretrainOutput, Wanted
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.model.files import read_plain, read_pth
from cavmae_sync.model.fingerprint import weights_fingerprint
from cavmae_sync.model.hub import find_weights
from cavmae_sync.model.layouts.mae import from_mae
from cavmae_sync.model.layouts.official import from_official, to_official
from cavmae_sync.model.masking import Mask, MaskingConfig, MaskPair, structured_noise, take_tokens
from cavmae_sync.model.patches import patchify, segment_picture, unpatchify
from cavmae_sync.model.provenance import Provenance, read_provenance
from cavmae_sync.model.publish import push_to_hub, save_pretrained
from cavmae_sync.model.tokens import Encoded, EncodedPair
from cavmae_sync.model.weights import (
    LoadedWeights,
    load_exactly,
    load_model,
    load_weights,
    reconfigured,
    save_model,
)

__all__ = [
    "CAVMAESync",
    "DecoderConfig",
    "Encoded",
    "EncodedPair",
    "LoadedWeights",
    "Mask",
    "MaskPair",
    "MaskingConfig",
    "Modality",
    "ModelConfig",
    "PretrainOutput",
    "Provenance",
    "Wanted",
    "find_weights",
    "from_mae",
    "from_official",
    "load_exactly",
    "load_model",
    "load_weights",
    "patchify",
    "push_to_hub",
    "read_plain",
    "read_provenance",
    "read_pth",
    "reconfigured",
    "save_model",
    "save_pretrained",
    "segment_picture",
    "structured_noise",
    "take_tokens",
    "to_official",
    "unpatchify",
    "weights_fingerprint",
]

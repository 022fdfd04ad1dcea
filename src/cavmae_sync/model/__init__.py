"""The network: normalised segments and frames in; tokens, and reconstructions of hidden patches, out.

In the order in which a batch passes through:

config       shape of a model: one type for CAV-MAE Sync, plain CAV-MAE and every ablation
patches      images cut into patches, and put together again
positions    fixed position codes of a grid of patches
masking      which patches the encoder sees
block        the transformer block
tokens       tokens of a modality, and their order in a sequence
encoder      one modality: patches to tokens
joint        both modalities: aligned tokens for comparison, fused tokens for the decoder
decoder      fused tokens to patch values
cavmae_sync  the whole model
heads        classifiers on the features of a clip's frames
flops        operations that a pass needs
"""

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

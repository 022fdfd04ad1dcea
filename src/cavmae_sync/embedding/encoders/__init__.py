"""Encoders of clips, ours and others': what a library and a search need of whatever makes their vectors.

- `base`: the contract. `own`: models of this package. `pe_av`: PE-AV, through the library transformers.
"""

from cavmae_sync.embedding.encoders.base import ClipEncoder, EncoderRecord, Preparation, Sound
from cavmae_sync.embedding.encoders.own import OWN, OwnEncoder, as_encoder

__all__ = ["OWN", "ClipEncoder", "EncoderRecord", "OwnEncoder", "Preparation", "Sound", "as_encoder"]

"""Files of weights: read in any layout, written, described, published."""

from cavmae_sync.weights.fingerprint import weights_fingerprint
from cavmae_sync.weights.hub import find_weights
from cavmae_sync.weights.layouts.mae import from_mae
from cavmae_sync.weights.layouts.official import from_official, to_official
from cavmae_sync.weights.load import (
    LoadedWeights,
    load_exactly,
    load_model,
    load_weights,
    reconfigured,
)
from cavmae_sync.weights.provenance import Provenance, read_provenance
from cavmae_sync.weights.publish import push_to_hub, save_pretrained
from cavmae_sync.weights.save import save_model
from cavmae_sync.weights.start_from import start_from
from cavmae_sync.weights.weights_file import read_plain, read_pth

__all__ = [
    "LoadedWeights",
    "Provenance",
    "find_weights",
    "from_mae",
    "from_official",
    "load_exactly",
    "load_model",
    "load_weights",
    "push_to_hub",
    "read_plain",
    "read_provenance",
    "read_pth",
    "reconfigured",
    "save_model",
    "save_pretrained",
    "start_from",
    "to_official",
    "weights_fingerprint",
]

"""Weights: a file or a name on a hub in, a model out; and back.

From a file to a model:

hub             a path, or organisation/name on a Hugging Face hub -> a file here
weights_file    a file -> its tensors by name; nothing in a file is executed
torch_file      what `torch.save` wrote, read without unpickling
pickle_parser   what a pickle says, as data
tensor_refs     tensors that a pickle names, as places in the file
layouts/        names that others give to the tensors -> ours, and back
load            a file of any layout -> a model
start_from      a file -> the start of a training run

From a model to a file:

save            a model -> `.safetensors` with a header, or the authors' `.pth`
provenance      where weights come from, in that header
fingerprint     which weights these are, whatever file they lay in
model_card      the page that goes with published weights
publish         a model -> a folder of three files, or a repository on a hub
"""

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
from cavmae_sync.weights.save import save_model, save_tensors
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
    "save_tensors",
    "start_from",
    "to_official",
    "weights_fingerprint",
]

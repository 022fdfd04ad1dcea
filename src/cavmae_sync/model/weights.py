"""Weights on disk: ours (safetensors with the configuration in the header) and the authors' key layout.

Nothing here executes what a file contains: `.pth` files are read with `weights_only=True`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from cavmae_sync.atomic import written_whole
from cavmae_sync.errors import WeightsError
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.files import read_file, read_pth
from cavmae_sync.model.hub import find_weights
from cavmae_sync.model.official import from_official, to_official
from cavmae_sync.model.provenance import FORMAT, PROVENANCE_KEY, Provenance


def save_model(model: CAVMAESync, path: str | Path, *, provenance: Provenance | None = None) -> None:
    """Write weights to one file, whole or not at all.

    Args:
        model: The model.
        path: `.safetensors` carries the configuration too; `.pth` is in the authors' key layout, with the
            norms and position tables that their code stores.
        provenance: Where the weights come from, for the header of a `.safetensors`.
    """
    path = Path(path)
    if path.suffix == ".pth":
        with written_whole(path) as part:
            torch.save(to_official(model), part)
        return
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    metadata = {"format": FORMAT, "config": model.config.model_dump_json()}
    if provenance is not None:
        metadata[PROVENANCE_KEY] = provenance.model_dump_json(exclude_none=True)
    with written_whole(path) as part:
        part.touch()
        mode = part.stat().st_mode
        save_file(tensors, part, metadata=metadata)
        part.chmod(mode)  # safetensors lets nobody but the owner read


def load_model(path: str | Path, *, config: ModelConfig | None = None) -> CAVMAESync:
    """A model with weights from a file, on the CPU, in evaluation mode.

    Args:
        path: `.safetensors` written by `save_model`, or a `.pth` in the authors' key layout; a folder that
            `save_pretrained` wrote; or what is on a hub: `organisation/name`, `organisation/name@revision`,
            `hf://organisation/name/file.pth`. A path that exists wins.
        config: Shape of the model. Ours carry it; for the authors' files it is read off the tensors, except
            what no tensor shows (attention heads, whether registers entered the joint layer, alignment).

    Raises:
        WeightsError: The file is missing, is not weights, or its keys and shapes are not exactly the
            model's. Differences are listed.
    """
    path = find_weights(path)
    if not path.is_file():
        raise WeightsError(
            f"{path} does not exist. Give a .safetensors file, a .pth of the authors, or the name of a "
            "repository on the hub: organisation/name."
        )
    if path.suffix == ".safetensors":
        config, state = _read_safetensors(path, config)
    else:
        config, state = from_official(read_pth(path), config=config)
    model = CAVMAESync(config)
    load_exactly(model, state, source=str(path))
    return model.eval()


def reconfigured(model: CAVMAESync, config: ModelConfig) -> CAVMAESync:
    """The same weights under another configuration, for what no tensor shows.

    Raises:
        WeightsError: The configuration asks for other tensors.
    """
    other = CAVMAESync(config)
    load_exactly(other, model.state_dict(), source="the weights")
    return other.eval()


def load_exactly(model: CAVMAESync, state: Mapping[str, Tensor], *, source: str) -> None:
    """Copy `state` into `model`; every key and shape must match.

    Raises:
        WeightsError: Keys are missing or unknown, or shapes differ. They are listed.
    """
    own = model.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shapes = [
        f"{name} is {tuple(state[name].shape)}, the model needs {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if state[name].shape != own[name].shape
    ]
    problems = [
        f"{what}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"
        for what, names in (("missing", missing), ("unknown", unknown), ("shapes", shapes))
        if names
    ]
    if problems:
        raise WeightsError(
            f"{source} does not fit the model. {'; '.join(problems)}. Use the configuration it was made with."
        )
    model.load_state_dict(dict(state), strict=True)


def _read_safetensors(path: Path, config: ModelConfig | None) -> tuple[ModelConfig, dict[str, Tensor]]:
    opened = read_file(path)
    metadata, state = opened.metadata, opened.tensors
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "no format")
        raise WeightsError(f"{path} carries {found!r} in its header, {FORMAT!r} is needed.")
    try:
        stored = ModelConfig.model_validate(json.loads(metadata["config"]))
    except (KeyError, json.JSONDecodeError, ValidationError) as error:
        raise WeightsError(f"{path} has no valid configuration in its header ({error}).") from error
    return config or stored, state

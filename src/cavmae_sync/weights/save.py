"""Models into weights files: safetensors with a header, or the authors' `.pth`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from cavmae_sync.atomic import written_whole
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights.layouts.official import to_official
from cavmae_sync.weights.layouts.original import KEPT, ORIGINAL_KEY, Original
from cavmae_sync.weights.provenance import FORMAT, PROVENANCE_KEY, Provenance

_LENGTH_BYTES: Final = 8
_METADATA: Final = "__metadata__"


def save_model(
    model: CAVMAESync,
    path: str | Path,
    *,
    provenance: Provenance | None = None,
    original: Original | None = None,
) -> None:
    """Write weights to one file, whole or not at all.

    Args:
        model: The model.
        path: `.safetensors` carries the configuration too; `.pth` has the authors' names, with the norms and
            position tables that their code stores.
        provenance: Where the weights come from, for the header of a `.safetensors`.
        original: What a `.safetensors` keeps so that the file it was made from can be given back.
    """
    path = Path(path)
    if path.suffix == ".pth":
        with written_whole(path) as part:
            torch.save(to_official(model), part)
        return
    tensors = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    save_tensors(tensors, path, config=model.config, provenance=provenance, original=original)


def save_tensors(
    tensors: Mapping[str, Tensor],
    path: Path,
    *,
    config: ModelConfig,
    provenance: Provenance | None = None,
    original: Original | None = None,
) -> None:
    """Write the weights of a model that is not at hand to a `.safetensors`, whole or not at all.

    Args:
        tensors: Its `state_dict`, on the CPU.
        path: The file.
        config: Shape of the model.
        provenance: As in `save_model`.
        original: As in `save_model`.
    """
    metadata = {"format": FORMAT, "config": config.model_dump_json()}
    kept: dict[str, Tensor] = {}
    if provenance is not None:
        metadata[PROVENANCE_KEY] = provenance.model_dump_json(exclude_none=True)
    if original is not None:
        metadata[ORIGINAL_KEY] = original.to_header()
        kept = {KEPT + name: value for name, value in original.kept.items()}
    write_safetensors(path, dict(tensors) | kept, metadata=metadata)


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str]) -> None:
    """Write one file, whole or not at all. The same content gives the same bytes.

    Args:
        path: The file.
        tensors: By name; on the CPU.
        metadata: Texts for the header, by name.
    """
    with written_whole(path) as part:
        part.touch()
        mode = part.stat().st_mode
        # safetensors refuses tensors that are views of others.
        contiguous = {name: value.contiguous() for name, value in tensors.items()}
        save_file(contiguous, part, metadata=dict(metadata))
        part.chmod(mode)  # safetensors makes files that only their owner may read
        _sort_metadata(part)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata of the header. safetensors writes it in random order, so equal files would differ."""
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = parse_json(file.read(length))
        header[_METADATA] = dict(sorted(header[_METADATA].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > length:
            raise ValueError(f"the header of {path} would grow from {length} to {len(text)} bytes")
        file.seek(_LENGTH_BYTES)
        file.write(text.ljust(length))

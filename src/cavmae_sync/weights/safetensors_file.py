"""Writing safetensors: tensors, and a header of text by name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors.torch import save_file
from torch import Tensor

from cavmae_sync.atomic import written_whole
from cavmae_sync.untrusted import parse_json

_LENGTH_BYTES: Final = 8
_TEXTS: Final = "__metadata__"


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
        contiguous = {name: value.contiguous() for name, value in tensors.items()}
        save_file(contiguous, part, metadata=dict(metadata))
        part.chmod(mode)  # safetensors lets nobody but the owner read
        _sort_texts(part)


def _sort_texts(path: Path) -> None:
    """Put the texts of the header in order: safetensors writes them in an order that chance decides."""
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = parse_json(file.read(length))
        header[_TEXTS] = dict(sorted(header[_TEXTS].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > length:
            raise ValueError(f"the header of {path} would grow from {length} to {len(text)} bytes")
        file.seek(_LENGTH_BYTES)
        file.write(text.ljust(length))

"""Provenance of weights: where they come from, as the header of our files says or another file shows."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import Field, ValidationError

from cavmae_sync.choices import Layout
from cavmae_sync.config import Config, describe_invalid
from cavmae_sync.errors import WeightsError
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights.layouts.recognize import recognize
from cavmae_sync.weights.weights_file import read_file, read_header

#: Value of the entry "format" in the header of our files, which tells them from others.
FORMAT: Final = "cavmae-sync/1"
#: Entry of the header that holds the provenance, as JSON. Files without it are older, and fine.
PROVENANCE_KEY: Final = "provenance"

_UNKNOWN_LICENCE: Final = "unknown: ask whoever gave you the file"

#: Licence of the weights as their authors distribute them, by layout.
_LICENCES: Final[Mapping[Layout, str]] = {
    "sync": "BSD-2-Clause (licence of the authors' code; the weights carry no note of their own)",
    "cavmae": "BSD-2-Clause (CAV-MAE model zoo)",
    "finetuned": "BSD-2-Clause (licence of the authors' code; the weights carry no note of their own)",
    "mae": "CC-BY-NC-4.0 (ImageNet MAE; not for commercial use)",
    "timm": "CC-BY-NC-4.0 (ImageNet MAE; not for commercial use)",
    "huggingface": "CC-BY-NC-4.0 (ImageNet MAE; not for commercial use)",
}


class Provenance(Config):
    """Origin of weights. Fields that are not known are None."""

    layout: Layout = "ours"
    """Layout of the source file: the names of its tensors."""
    source_name: str | None = None
    """Name of the source file, without its folder; None for weights that were trained here."""
    source_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of the source file."""
    source_num_bytes: int | None = Field(None, ge=0)
    """Size of the source file in bytes."""
    licence: str | None = None
    """Licence of the source."""
    num_frames: int | None = Field(None, gt=0)
    """Frames of each clip in training."""
    trained_on: str | None = None
    """What they were trained on and do not know, in words; commands say it when they use them."""
    proof: str | None = None
    """Embeddings of the package's clip, as text; `cavmae-sync doctor` compares them with its own."""

    @classmethod
    def of_file(cls, path: Path, *, layout: Layout, licence: str | None = None) -> Self:
        """Provenance of a file that we did not write; its licence follows from its layout."""
        return cls(
            layout=layout,
            source_name=path.name,
            source_sha256=sha256_of(path),
            source_num_bytes=path.stat().st_size,
            licence=licence or _LICENCES.get(layout, _UNKNOWN_LICENCE),
        )


def read_provenance(path: str | Path) -> Provenance:
    """Provenance of the weights in a file.

    Args:
        path: Our `.safetensors`: read from its header; a header without it gives an empty provenance. Any
            foreign file: computed from the file.

    Raises:
        WeightsError: The file has no known layout of weights, or its header is damaged.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        metadata = read_header(path)
        if metadata.get("format") == FORMAT:
            return parse_provenance(metadata, path)
    return Provenance.of_file(path, layout=recognize(read_file(path).tensors.keys()))


def parse_provenance(metadata: Mapping[str, str], path: Path) -> Provenance:
    """Provenance in the header of one of our files.

    Raises:
        WeightsError: It is damaged.
    """
    if PROVENANCE_KEY not in metadata:
        return Provenance()
    try:
        return Provenance.model_validate(parse_json(metadata[PROVENANCE_KEY]))
    except ValueError as error:
        says = describe_invalid(error) if isinstance(error, ValidationError) else error
        raise WeightsError(f"{path} has no valid provenance in its header ({says}).") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Numbers of attention heads that a file names beside its tensors. No shape of a tensor shows them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cavmae_sync.choices import Layout
from cavmae_sync.errors import WeightsError
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights.weights_file import WeightsFile

#: Names that people give to numbers of heads -> field of a model's configuration.
_NAMES: Final[Mapping[str, str]] = {
    "heads": "heads",
    "num_heads": "heads",
    "num_attention_heads": "heads",
    "decoder_heads": "decoder.heads",
    "decoder_num_heads": "decoder.heads",
    "decoder_num_attention_heads": "decoder.heads",
}
_MAX_HEADS: Final = 1024
_MAX_BYTES: Final = 1 << 20


def stored_heads(file: WeightsFile, path: Path, layout: Layout) -> list[str]:
    """Numbers of heads as `key=value` words.

    They are read from the header of a safetensors file, from plain values beside the tensors of a `.pth` (a
    dictionary of arguments too), and for Hugging Face's layout from the config.json beside the file.

    Raises:
        WeightsError: The config.json is no JSON object.
    """
    entries: dict[str, Any] = {**file.plain_values, **file.metadata}
    if layout == "huggingface" and (about := path.with_name("config.json")).is_file():
        entries |= _config_beside(about)
    has_decoder = any("decoder" in name for name in file.tensors)
    found = {field: number for field, number in _numbers(entries) if has_decoder or field == "heads"}
    return [f"{field}={number}" for field, number in found.items()]


def _numbers(entries: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, field in _NAMES.items():
        text = str(entries.get(name, ""))
        if text.isdecimal() and 0 < int(text[:9]) <= _MAX_HEADS:
            yield field, int(text)


def _config_beside(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            about = parse_json(file.read(_MAX_BYTES))
    except ValueError as error:
        raise WeightsError(
            f"{path}, which belongs to these weights, is no JSON ({error}). Fetch it again."
        ) from error
    if not isinstance(about, dict):
        raise WeightsError(f"{path}, which belongs to these weights, is no JSON object. Fetch it again.")
    return {name: about[name] for name in _NAMES if isinstance(about.get(name), int)}

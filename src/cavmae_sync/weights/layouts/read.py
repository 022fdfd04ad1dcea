"""A weights file of any layout, read: its configuration, its tensors by our names, and what else it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from torch import Tensor

from cavmae_sync.checks import first_names
from cavmae_sync.choices import Layout
from cavmae_sync.config import describe_invalid
from cavmae_sync.errors import WeightsError
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights.layouts.finetuned import HeadWeights, from_finetuned
from cavmae_sync.weights.layouts.mae import from_mae, is_mae, mae_config
from cavmae_sync.weights.layouts.official import from_official, without_prefixes
from cavmae_sync.weights.layouts.original import KEPT, ORIGINAL_KEY, Original
from cavmae_sync.weights.layouts.recognize import recognize
from cavmae_sync.weights.layouts.stored_heads import stored_heads
from cavmae_sync.weights.provenance import FORMAT, Provenance, parse_provenance
from cavmae_sync.weights.weights_file import WeightsFile, read_file

_MAX_SHOWN: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadWeights:
    """Content of one file.

    Attributes:
        layout: Names that its tensors have.
        config: Shape of the model; for an MAE, the published model that starts from it.
        state: Tensors by our names; for an MAE, those that it has.
        file: The file as it is.
        head: Head of a fine-tuned classifier; None where there is none, or none of a kind that we have.
        original: What one of our files keeps of the file it was made from.
        provenance: Origin that one of our files names.
    """

    layout: Layout
    config: ModelConfig
    state: dict[str, Tensor]
    file: WeightsFile
    head: HeadWeights | None = None
    original: Original | None = None
    provenance: Provenance | None = None


def read_weights(
    path: Path, *, config: ModelConfig | None = None, overrides: Sequence[str] = ()
) -> ReadWeights:
    """Read a weights file of any known layout, recognised by the names of its tensors.

    Args:
        path: A `.safetensors`, or what `torch.save` wrote. Nothing in it is executed.
        config: Shape of the model; None takes the stored one, or reads it off names and shapes.
        overrides: `key=value` words for what no tensor shows, applied to what was stored or read.

    Raises:
        WeightsError: The file is damaged, something else, or not exactly one of the layouts.
        ConfigError: A word does not fit.
    """
    return interpret(read_file(path), path, config=config, overrides=overrides)


def is_ours(file: WeightsFile) -> bool:
    """Whether we wrote the file, as its header says."""
    return file.metadata.get("format", "").startswith("cavmae-sync")


def interpret(
    file: WeightsFile, path: Path, *, config: ModelConfig | None = None, overrides: Sequence[str] = ()
) -> ReadWeights:
    """`read_weights` for a file whose tensors are read already.

    Raises:
        WeightsError: As for `read_weights`.
        ConfigError: A word does not fit.
    """
    try:
        read = _read(file, path, config, overrides)
        check_finite(read.state | (read.head.state if read.head else {}), file)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise WeightsError(f"{path}: its tensors show an impossible model ({first})") from error
    return read


def check_finite(state: Mapping[str, Tensor], file: WeightsFile) -> None:
    """Refuse weights that are NaN or infinite: every result would be too.

    Args:
        state: Tensors that are used, by our names.
        file: The file, for its own names in the message.

    Raises:
        WeightsError: Some are NaN or infinite; names them.
    """
    if not (bad := [name for name, value in state.items() if not bool(value.isfinite().all())]):
        return
    theirs = [name for name, value in file.tensors.items() if not bool(value.isfinite().all())] or bad
    raise WeightsError(
        f"{first_names(theirs, most=_MAX_SHOWN)} hold NaN or infinity: training went wrong, or the file is "
        "damaged. Take an earlier checkpoint."
    )


def _read(file: WeightsFile, path: Path, config: ModelConfig | None, overrides: Sequence[str]) -> ReadWeights:
    if is_ours(file):
        return _read_ours(path, file, config, overrides)
    layout = recognize(file.tensors)
    said = [] if config is not None or layout == "ours" else stored_heads(file, path, layout)
    return _read_foreign(file, layout, config, [*said, *overrides])


def _read_foreign(
    file: WeightsFile, layout: Layout, config: ModelConfig | None, overrides: Sequence[str]
) -> ReadWeights:
    state, head = file.tensors, None
    if layout == "ours":
        state = without_prefixes(state)
        if config is None:
            raise WeightsError(
                "our tensors without a configuration: `torch.save(model.state_dict())` loses it. Write them "
                "with save_model, or pass config=ModelConfig(...)."
            )
    elif is_mae(layout):
        config = config or mae_config(state, overrides)
        state = from_mae(state)
    elif layout == "finetuned":
        config, state, head = from_finetuned(state, config=config, overrides=overrides)
    else:
        config, state = from_official(state, config=config, overrides=overrides)
    return ReadWeights(layout=layout, config=config, state=state, file=file, head=head)


def _read_ours(
    path: Path, file: WeightsFile, config: ModelConfig | None, overrides: Sequence[str]
) -> ReadWeights:
    metadata = file.metadata
    if metadata["format"] != FORMAT:
        raise WeightsError(f"it carries {metadata['format']!r} in its header, {FORMAT!r} is needed.")
    try:
        stored = ModelConfig.model_validate(parse_json(metadata["config"]))
    except (KeyError, ValueError) as error:
        says = describe_invalid(error) if isinstance(error, ValidationError) else error
        raise WeightsError(f"no valid configuration in its header ({says}).") from error
    kept = {name.removeprefix(KEPT): value for name, value in file.tensors.items() if name.startswith(KEPT)}
    return ReadWeights(
        layout="ours",
        config=(config or stored).with_overrides(overrides),
        state=without_prefixes(
            {name: value for name, value in file.tensors.items() if not name.startswith(KEPT)}
        ),
        file=file,
        original=Original.from_header(metadata[ORIGINAL_KEY], kept) if ORIGINAL_KEY in metadata else None,
        provenance=parse_provenance(metadata, path),
    )

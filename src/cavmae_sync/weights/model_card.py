"""Model card, the page that goes with published weights: what they are, how to load them, their origin."""

from collections.abc import Iterable, Sequence
from typing import Final

from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import DecoderConfig, ModelConfig
from cavmae_sync.weights.fingerprint import weights_fingerprint
from cavmae_sync.weights.provenance import Provenance

LIBRARY: Final = "cavmae-sync"

_TAGS: Final = ("audio-visual", "video", "self-supervised", "contrastive", "masked-autoencoder", "retrieval")

#: Licences as the hub writes them, by how a note of ours starts; any other is "other", with the note as name.
_LICENCES: Final = (
    ("Apache-2.0", "apache-2.0"),
    ("BSD-2-Clause", "bsd-2-clause"),
    ("BSD-3-Clause", "bsd-3-clause"),
    ("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0"),
    ("CC-BY-NC-4.0", "cc-by-nc-4.0"),
    ("CC-BY-4.0", "cc-by-4.0"),
    ("CC0-1.0", "cc0-1.0"),
    ("MIT", "mit"),
)

_ABOUT: Final = """\
Two encoders and a joint layer that bring pictures and sounds of a video into one space, learned without
labels: one vector for each frame, and one for the stretch of sound around it. The cosine of the two says how
well they belong together."""

_LOAD: Final = """\
## Load

```python
import cavmae_sync as cs
model = cs.load_model("{name}")
```

On a command line the name stands in the place of a run:
`cavmae-sync evaluate retrieval {name} --data DATASET`.
"""


def model_card(
    model: CAVMAESync,
    *,
    provenance: Provenance,
    repository: str | None = None,
    base_model: str | None = None,
    results: str | None = None,
) -> str:
    """A README.md for the hub: front matter, then Markdown.

    Args:
        model: What is published.
        provenance: Where the weights come from.
        repository: `organisation/name` under which they will be found.
        base_model: The repository of the weights that training started from.
        results: Markdown for the section on results; None leaves the section out.
    """
    from huggingface_hub import ModelCardData

    licence = _licence(provenance.licence)
    front = ModelCardData(
        library_name=LIBRARY,
        tags=list(_TAGS),
        base_model=base_model,
        license=licence,
        license_name=provenance.licence if licence == "other" else None,
    )
    name = repository or "org/name"
    title = name.split("/")[-1] if repository else "CAV-MAE Sync weights"
    parts = [
        f"---\n{front.to_yaml()}\n---\n",
        f"# {title}\n\n{_kind(model.config)}\n\n{_ABOUT}\n",
        _LOAD.format(name=name),
        f"## Configuration\n\n{_table(('', ''), configuration_rows(model))}",
        f"## Provenance\n\n{_table(('', ''), _provenance_rows(model, provenance))}",
    ]
    if results is not None:
        parts.append(f"## Results\n\n{results.strip()}\n")
    return "\n".join(parts)


def configuration_rows(model: CAVMAESync) -> Sequence[tuple[str, str]]:
    """Rows of a table of a model's shape: a name, and a value with its unit."""
    config = model.config
    inputs = config.inputs
    rows, columns = config.audio_grid
    side, _ = config.visual_grid
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    return (
        ("frames", f"{inputs.frame_pixels} x {inputs.frame_pixels} pixels, {side} x {side} patches"),
        ("sound", f"{inputs.segment_length} spectrogram frames of 10 ms, {rows} x {columns} patches"),
        ("alignment", f"`{inputs.alignment}`"),
        ("spectrogram statistics", f"mean {inputs.spectrogram_mean:g}, deviation {inputs.spectrogram_std:g}"),
        ("encoders", f"{_blocks(config.depth)} each, width {config.width}, {config.heads} heads"),
        ("joint layer", _blocks(config.joint_depth)),
        ("global token", "yes" if config.global_token else "no: the mean of the patches is compared"),
        ("registers", _registers(config)),
        ("contrastive heads", _blocks(config.contrastive_head_depth)),
        ("decoder", _decoder(config.decoder)),
        ("parameters", f"{num_parameters:,}"),
    )


def _provenance_rows(model: CAVMAESync, provenance: Provenance) -> Iterable[tuple[str, str]]:
    yield "fingerprint of the weights", f"`{weights_fingerprint(model)}`"
    if provenance.source_name is None:
        yield "origin", "trained with cavmae-sync"
    else:
        yield "converted from", f"`{provenance.source_name}` (layout `{provenance.layout}`)"
        yield "SHA-256 of that file", f"`{provenance.source_sha256}`"
        yield "bytes of that file", f"{provenance.source_num_bytes:,}"
    if provenance.num_frames is not None:
        yield "frames of a clip in training", str(provenance.num_frames)
    if provenance.trained_on is not None:
        yield "trained on", provenance.trained_on
    yield "licence", provenance.licence or "not stated"


def _decoder(config: DecoderConfig | None) -> str:
    if config is None:
        return "none: these weights encode, and reconstruct nothing"
    return f"{_blocks(config.depth)}, width {config.width}, {config.heads} heads"


def _blocks(count: int) -> str:
    return "none" if count == 0 else f"{count} block{'s' * (count > 1)}"


def _registers(config: ModelConfig) -> str:
    where = "enter the joint layer" if config.registers_in_joint else "stop before the joint layer"
    return f"{config.registers} for each modality; they {where}" if config.registers else "none"


def _kind(config: ModelConfig) -> str:
    name = "CAV-MAE Sync" if config.global_token else "CAV-MAE"
    return f"Weights of a {name} model in the format of `{LIBRARY}`."


def _licence(note: str | None) -> str | None:
    if note is None:
        return None
    return next((name for start, name in _LICENCES if note.startswith(start)), "other")


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines) + "\n"

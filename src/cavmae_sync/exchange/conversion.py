"""Report of a conversion: what was read, what was written, and what was assumed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cavmae_sync.choices import Layout
from cavmae_sync.model import ModelConfig
from cavmae_sync.model.heads import HeadConfig
from cavmae_sync.weights import Provenance
from cavmae_sync.weights.layouts.check import TITLES
from cavmae_sync.weights.layouts.recognize import bare_name

_CAVMAE_HEAD: Final = (
    "CAV-MAE's own (layer norm and linear layer on the mean of all tokens of the joint pass): kept, so that "
    "it can be written back; not used here"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """Report of a conversion.

    Attributes:
        written: Files that were written.
        layout: Layout of the file that was read.
        written_layout: Layout of the files that were written.
        config: Shape of the model.
        provenance: Origin of the weights.
        weights: Fingerprint of the model.
        num_tensors: Tensors of the file that was read.
        num_values: Numbers in them.
        fresh: Parameters that the file does not have and that were drawn at random.
        kept: Tensors kept beside the model so that the file can be written again.
        left_behind: Other contents of the file that are not kept, such as the state of an optimiser.
        assumed: Settings that neither the tensors nor the user gave, taken as published: `key=value` words.
        head: Head of a fine-tuned classifier that became a probe.
    """

    written: tuple[Path, ...]
    layout: Layout
    written_layout: Layout
    config: ModelConfig
    provenance: Provenance
    weights: str
    num_tensors: int
    num_values: int
    fresh: tuple[str, ...]
    kept: tuple[str, ...]
    left_behind: tuple[str, ...]
    assumed: Mapping[str, str] = field(default_factory=dict)
    head: HeadConfig | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        about = {
            name: value
            for name, value in asdict(replace(self, provenance=Provenance(), head=None)).items()
            if name not in ("config", "provenance", "head")
        }
        return about | {
            "written": [str(path) for path in self.written],
            "config": self.config.model_dump(mode="json"),
            "provenance": self.provenance.model_dump(mode="json", exclude={"proof"}),
            "head": None if self.head is None else self.head.model_dump(mode="json"),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Names and values in reading order, for a table on the terminal."""
        source = self.provenance
        size = "" if source.source_num_bytes is None else f", {source.source_num_bytes:,} bytes"
        rows = [
            ("recognised", TITLES[self.layout]),
            ("source", f"{source.source_name or 'trained here'}{size}"),
            ("SHA-256", source.source_sha256 or "-"),
            ("licence", source.licence or "-"),
            ("tensors", f"{self.num_tensors:,} of {self.num_values:,} values"),
            ("encoders", _encoders(self.config)),
            ("inputs", _inputs(self.config, source.num_frames)),
            ("decoder", _decoder(self.config)),
            ("fingerprint", self.weights),
        ]
        if self.head is not None:
            shape = self.head
            heads = f"{shape.heads} attention heads"
            rows.append(("head", f"{shape.num_classes} classes, width {shape.width}, {heads}"))
        elif any(bare_name(name).startswith("mlp_head.") for name in self.kept):
            rows.append(("head", _CAVMAE_HEAD))
        if self.assumed:
            found = ", ".join(f"{name}={value}" for name, value in self.assumed.items())
            rows.append(
                ("taken as published", f"{found}. No tensor shows these; give key=value words for others.")
            )
        if self.fresh:
            rows.append(("fresh, not in the file", _listed(self.fresh)))
        if self.kept:
            rows.append(("kept beside the model", _listed(self.kept)))
        if self.left_behind:
            rows.append(("left behind", _listed(self.left_behind)))
        return [*rows, ("written", f"{', '.join(map(str, self.written))} ({TITLES[self.written_layout]})")]


def _encoders(config: ModelConfig) -> str:
    parts = [
        f"width {config.width}",
        f"{config.depth} blocks each and {config.joint_depth} joint",
        f"{config.heads} heads",
        "global tokens" if config.global_token else "no global tokens",
        f"{config.registers} registers each",
    ]
    if config.contrastive_head_depth:
        parts.append(f"contrastive heads of {config.contrastive_head_depth} blocks")
    if config.learned_positions:
        parts.append("learned positions")
    return ", ".join(parts)


def _inputs(config: ModelConfig, num_frames: int | None) -> str:
    frames = "frames per clip unknown" if num_frames is None else f"{num_frames} frames per clip"
    side = config.inputs.frame_pixels
    return f"segments of {config.inputs.segment_length} spectrogram frames, {side} x {side} pixels, {frames}"


def _decoder(config: ModelConfig) -> str:
    shape = config.decoder
    if shape is None:
        return "none: it encodes, and cannot reconstruct"
    return f"width {shape.width}, {shape.depth} blocks, {shape.heads} heads"


def _listed(names: Sequence[str]) -> str:
    """Number of names and the first of them; names of one kind in all blocks count as one kind."""
    groups = sorted({re.sub(r"\.\d+\.", ".*.", name) for name in names})
    return f"{len(names)}: {', '.join(groups[:6])}{', ...' if len(groups) > 6 else ''}"

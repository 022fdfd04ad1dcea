"""The examined model: weights, what their file says, and how they are about to be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.embedding import Embedder
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.training import weights_of
from cavmae_sync.weights import Provenance, load_model, read_provenance, reconfigured

#: Files of other layouts may need these words to be opened at all; no check depends on them.
_SHAPE_WORDS: Final = ("heads=", "decoder.heads=")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExaminedModel:
    """A model as it is about to be used.

    Attributes:
        path: Path or name of the weights as the user gave it.
        file: The weights file.
        embedder: The model with all overrides.
        made_with: Configuration in the file, or read off its tensors.
        provenance: Origin of the weights.
        words: The `key=value` words that override the configuration.
    """

    path: Path
    file: Path
    embedder: Embedder
    made_with: ModelConfig
    provenance: Provenance
    words: tuple[str, ...] = ()

    @property
    def model(self) -> CAVMAESync:
        """The model with all overrides."""
        return self.embedder.model

    @property
    def is_published(self) -> bool:
        """Whether the weights come from a published file of CAV-MAE or CAV-MAE Sync."""
        return self.provenance.layout in {"sync", "cavmae", "finetuned"}


def open_examined_model(
    run_or_weights: Path,
    overrides: Sequence[str] = (),
    *,
    device: str | None = None,
    precision: Precision = "float32",
    representation: Representation = "global",
) -> ExaminedModel:
    """Open a model for examination.

    Args:
        run_or_weights: Folder of a run, or a weights file.
        overrides: `key=value` words for settings that the tensors do not show.
        device: cpu, cuda or mps; the best there is unless given.
        precision: Precision of matrix products.
        representation: Representation of a frame or segment when they are compared.

    Raises:
        WeightsError: The weights cannot be opened.
        ConfigError: A word is wrong.
    """
    file = weights_of(run_or_weights)
    model = load_model(file, overrides=[word for word in overrides if word.startswith(_SHAPE_WORDS)])
    made_with = model.config
    if overrides:
        model = reconfigured(model, made_with.with_overrides(overrides))
    return ExaminedModel(
        path=run_or_weights,
        file=file,
        embedder=Embedder(
            model,
            device=device,
            precision=precision,
            representation=representation,
            float32_products="auto",
        ),
        made_with=made_with,
        provenance=read_provenance(file),
        words=tuple(overrides),
    )

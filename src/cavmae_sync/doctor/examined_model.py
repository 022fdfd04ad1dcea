"""What the doctor examines: weights, what their file says of them, and how they are about to be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.embedding import Embedder
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.training import weights_of
from cavmae_sync.weights import Provenance, load_model, read_provenance, reconfigured

#: Without these some foreign files cannot be opened at all; they change nothing that is checked.
_SHAPE_WORDS: Final = ("heads=", "decoder.heads=")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExaminedModel:
    """Weights about to be used.

    Attributes:
        path: As the user named them.
        file: The file itself.
        embedder: The model as it is about to be used, overrides included.
        made_with: The configuration that the file has or that was read off it.
        provenance: Where the weights come from.
        words: The `key=value` words that they are used with.
    """

    path: Path
    file: Path
    embedder: Embedder
    made_with: ModelConfig
    provenance: Provenance
    words: tuple[str, ...] = ()

    @property
    def model(self) -> CAVMAESync:
        """The model as it is about to be used."""
        return self.embedder.model

    @property
    def is_published(self) -> bool:
        """Whether the weights descend from a file of CAV-MAE or CAV-MAE Sync."""
        return self.provenance.layout in {"sync", "cavmae", "finetuned"}


def open_examined_model(
    run_or_weights: Path,
    overrides: Sequence[str] = (),
    *,
    device: str | None = None,
    precision: Precision = "float32",
    representation: Representation = "global",
) -> ExaminedModel:
    """Open weights together with what their file says.

    Args:
        run_or_weights: Folder of a run, or a weights file.
        overrides: `key=value` words for what no weight shows.
        device: cpu, cuda or mps; the best there is unless given.
        precision: Precision of matrix products.
        representation: What stands for a frame or segment when they are compared.

    Raises:
        WeightsError: They cannot be opened.
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

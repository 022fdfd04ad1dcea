"""Result of a table: its settings, its cells so far, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.choices import Scale, TrainingPrecision
from cavmae_sync.config import Config
from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.generated_clips import TestObjects
from cavmae_sync.recipes.stage_twin import NUM_CLIPS, NUM_EPOCHS
from cavmae_sync.recipes.tables.budget import Budget
from cavmae_sync.recipes.tables.table_spec import TableSpec
from cavmae_sync.stage import Variant
from cavmae_sync.untrusted import read_json

_SETTINGS: Final = "reproduce.json"


class ReproduceConfig(Config):
    """Settings of all rows of a table; stored, so that all cells of a folder have the same ones."""

    scale: Scale = "stage"
    """"stage": generated clips and small models on two cores; "full": the published sizes on given data."""
    num_train_clips: int = Field(NUM_CLIPS, gt=0)
    """Generated clips to learn from (scale "stage")."""
    num_test_clips: int = Field(1000, gt=0)
    """Generated clips to measure with (scale "stage")."""
    variant: Variant = "bind"
    """Variant of the generated clips (scale "stage")."""
    pack: Path | None = None
    """Folder of cut-outs with sounds instead of the built-in objects, as `stage --pack` makes it (scale
    "stage")."""
    test_objects: TestObjects = "new"
    """Objects of the clips to measure with (scale "stage"): "new" ones, or those of the training list in new
    clips ("known")."""
    budget: Budget = "epochs"
    """What all trainings have in common (scale "stage"): "epochs" as in the paper; with "compute" none costs
    more operations or more processor time than `sync_base`. Steps of all recipes are timed for it first."""
    precision: TrainingPrecision | Literal["auto"] = "auto"
    """Precision of training (scale "stage"); bfloat16 is faster on processors that compute with it."""
    num_epochs: int = Field(NUM_EPOCHS, gt=0)
    """Passes over the generated clips in each training (scale "stage")."""

    def check_folder(self, out: Path) -> None:
        """Refuse the folder of tables with other settings.

        Raises:
            ConfigError: It holds such tables.
        """
        stored = out / _SETTINGS
        if stored.exists():
            known = read_json(stored, ReproduceConfig, remedy="Use another --out.")
            if known != self:
                raise ConfigError(
                    f"{out} was made with other settings ({known.model_dump_json()}). Use the same ones, or "
                    "another --out."
                )

    def claim_folder(self, out: Path) -> None:
        """Write these settings into a folder, which tables with others are refused from then on.

        Raises:
            ConfigError: It holds tables with other settings.
        """
        with locked(out / "settings.lock"):
            self.check_folder(out)
            write_text(out / _SETTINGS, self.model_dump_json(indent=2) + "\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Cell of a table.

    Attributes:
        by_seed: Measured fraction for each seed.
        reason: Reason why there is none.
    """

    by_seed: Mapping[int, float] = field(default_factory=dict)
    reason: str = "not run"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableResult:
    """Table with the cells that were measured so far.

    Attributes:
        table: The table of the paper.
        config: Settings of the rows.
        columns: Headings of measured cells.
        cells: By row and heading.
        costs: Cost of the training of each row that was trained.
    """

    table: TableSpec
    config: ReproduceConfig
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    costs: Mapping[str, "Cost"] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every cell has a number."""
        return all(cell.by_seed for cell in self.cells.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Cost of training a row.

    Attributes:
        num_steps: Steps.
        operations: Floating point operations of all steps.
        processor_seconds: By seed, as measured while other programs ran or not: a rough measure.
    """

    num_steps: int
    operations: int
    processor_seconds: Mapping[int, float]

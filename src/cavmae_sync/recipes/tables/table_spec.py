"""What a table is made of: trainings, measurements and rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cavmae_sync import paper
from cavmae_sync.choices import AggregationName, Modalities, TokenKind

Task = Literal["retrieval", "segmentation", "probing", "states"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """Training of a model.

    Attributes:
        recipe: Recipe of `RECIPES`.
        num_frames: Frames of a clip in its training set.
        segment_length: Spectrogram frames of a segment at every scale (100 are 1 s); None takes the recipe's,
            which twins shorten.
        is_untrained: Whether the model is measured as it is before the first step: a control.
    """

    recipe: str = "sync_base"
    num_frames: int = paper.NUM_FRAMES
    segment_length: int | None = None
    is_untrained: bool = False

    @property
    def name(self) -> str:
        """Name of its folder."""
        segment = "" if self.segment_length is None else f"-{self.segment_length}-segment"
        if self.is_untrained:  # before the first clip, their frames make no difference
            return f"{self.recipe}{segment}-untrained"
        return f"{self.recipe}-{self.num_frames}-frames{segment}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """Measurement of a model, as far as rows of a table differ in it.

    Attributes:
        num_frames: Frames of a clip in the test set.
        only_frame: Compare this frame alone (CAV-MAE's protocol); None compares all.
        aggregation: How the similarities of frames become one score.
        modalities: Modalities that a probe reads.
        tokens: Tokens that a probe reads.
    """

    num_frames: int = paper.NUM_FRAMES
    only_frame: int | None = None
    aggregation: AggregationName = "diagonal_mean"
    modalities: Modalities = "both"
    tokens: TokenKind = "global"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Row of a table.

    Attributes:
        name: Name.
        training: Training of its model.
        measurement: How that is measured.
        published: Published cells, in percent.
        control: Name of the row of its model before training; None where there is none.
    """

    name: str
    training: Training = Training()
    measurement: Measurement = Measurement()
    published: Mapping[str, float] = field(default_factory=dict)
    control: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSpec:
    """One table of the paper.

    Attributes:
        name: Name on the command line.
        title: Title.
        tasks: Tasks that every row is measured on.
        rows: Rows in the paper's order.
        published_columns: Headings of published cells, in order.
        note: Note for the reader.
        is_curve: Whether rows are points of a curve (Figure 4).
    """

    name: str
    title: str
    tasks: Sequence[Task]
    rows: Sequence[Row]
    published_columns: Sequence[str]
    note: str = ""
    is_curve: bool = False

"""Log of a run: JSON lines always, TensorBoard where it is installed."""

import json
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.atomic import write_text
from cavmae_sync.errors import TrainingError
from cavmae_sync.training.run_folder import RunFolder
from cavmae_sync.untrusted import parse_json


class RunLog:
    """Appends rows to `metrics.jsonl` and mirrors numbers and figures to TensorBoard.

    Args:
        run: Where to write.
        first_step: Rows of later steps are dropped; a kill left them, and their steps will be made again.
    """

    def __init__(self, run: RunFolder, *, first_step: int) -> None:
        _drop_rows_after(run.metrics, first_step)
        self._file = run.metrics.open("a", encoding="utf-8")
        self._board = _open_board(run.path / "tensorboard", first_step)

    def write(self, kind: str, *, step: int, values: Mapping[str, float]) -> None:
        """Write a row `{"kind": ..., "step": ..., **values}`. Infinity and NaN become null."""
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._file.write(json.dumps({"kind": kind, "step": step, **row}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def figure(self, name: str, figure_HWC: NDArray[np.uint8], *, step: int) -> None:
        """Write a figure to TensorBoard; JSON lines have none."""
        if self._board is not None:
            self._board.add_image(name, figure_HWC, step, dataformats="HWC")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a `metrics.jsonl`; a last line cut off by a kill is left out.

    Raises:
        TrainingError: A line before it is damaged.
    """
    lines = path.read_bytes().splitlines() if path.exists() else []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_row(line))
        except ValueError as error:
            if number < len(lines):
                raise TrainingError(
                    f"{path}, line {number}, is damaged ({error}). Take it from a copy of the run."
                ) from error
    return rows


def _row(line: bytes) -> dict[str, Any]:
    row = parse_json(line)
    if not (isinstance(row, dict) and isinstance(row.get("step"), int)):
        raise ValueError("it is not an object with a step")  # noqa: TRY004 (as for what is no JSON)
    return row


def _drop_rows_after(path: Path, step: int) -> None:
    kept = [row for row in read_metrics(path) if row["step"] <= step]
    write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def _open_board(folder: Path, first_step: int) -> Any | None:
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first_step + 1)

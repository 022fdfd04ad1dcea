"""Figure of a reconstruction: original, what the encoder saw, and prediction, of a frame and of its sound.

Letters: H W pixels, C colours, L spectrogram frames, M mel bins.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.figures.style import (
    LARGE,
    MISSING,
    NORMAL,
    SMALL,
    drawable,
    label,
    new_figure,
    show_spectrogram,
    without_ticks,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconstruction:
    """One frame or segment before hiding, and after prediction.

    Attributes:
        original: A frame [H, W, 3], uint8; or log-mel [L, M], natural logarithm.
        hidden: Bool [H, W] or [L, M]: True where the encoder did not see it.
        composite: As `original`, hidden places filled with the prediction.
        prediction: As `original`, the prediction everywhere; where nothing was hidden it was never trained.
            None where it is not shown.

    Raises:
        ValueError: Shapes do not agree.
    """

    original: NDArray[Any]
    hidden: NDArray[np.bool_]
    composite: NDArray[Any]
    prediction: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.prediction is not None and self.prediction.shape != self.original.shape:
            raise ValueError(f"original is {self.original.shape}, but prediction {self.prediction.shape}.")
        if self.original.shape != self.composite.shape or self.original.shape[:2] != self.hidden.shape:
            raise ValueError(
                "original, composite and hidden must be of one size, got "
                f"{self.original.shape}, {self.composite.shape} and {self.hidden.shape}."
            )


def reconstruction_figure(
    *,
    frame: Reconstruction,
    segment: Reconstruction,
    title: str = "Reconstruction",
    note: str = "",
    column_inches: float = 3.5,
) -> Figure:
    """Figure with columns for original, what the encoder saw, and prediction; frame above, sound below.

    Args:
        frame: uint8 [H, W, 3].
        segment: Log-mel [L, M].
        title: Printed above.
        note: Printed below.
        column_inches: Width of a column.
    """
    seen_HWC = np.where(frame.hidden[:, :, None], _grey(), frame.original)
    columns = _columns(frame, seen_HWC)
    figure = new_figure(
        width_inches=column_inches * len(columns),
        height_inches=1.65 * column_inches + 1 + 0.3 * bool(note),
    )
    figure.suptitle(drawable(title), fontsize=LARGE)
    if note:
        figure.supxlabel(note, fontsize=NORMAL, x=0.01, ha="left")
    above, below = figure.subplots(2, len(columns), height_ratios=(1.25, 1))
    for axes, image_HWC, name in zip(above, columns, _names(frame, "frame"), strict=True):
        axes.imshow(image_HWC.astype(np.uint8))
        without_ticks(axes)
        axes.set_title(name, fontsize=NORMAL)
    _draw_segments(below, segment)
    return figure


def _draw_segments(row: NDArray[Any], segment: Reconstruction) -> None:
    seen_LM = np.where(segment.hidden, np.nan, segment.original)
    # One scale for all columns, that of the original: else a flat prediction would look as rich as the sound.
    limits = {"vmin": float(segment.original.min()), "vmax": float(segment.original.max())}
    image = None
    for k, (axes, values_LM, name) in enumerate(
        zip(row, _columns(segment, seen_LM), _names(segment, "sound"), strict=True)
    ):
        image = show_spectrogram(axes, values_LM, **limits)
        label(axes, x="time (s)", y="mel bin" if k == 0 else "")
        axes.set_title(name, fontsize=NORMAL)
    _add_scale(row, image)


def _add_scale(row: NDArray[Any], image: Any) -> None:
    last: Axes = row[-1]
    bar = last.figure.colorbar(image, ax=list(row), aspect=12)
    bar.set_label("log energy", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)


def _columns(one: Reconstruction, seen: NDArray[Any]) -> list[NDArray[Any]]:
    parts = [one.original, seen, one.prediction, one.composite]
    return [part for part in parts if part is not None]


def _names(one: Reconstruction, kind: str) -> list[str]:
    seen = f"what the encoder\nsaw ({one.hidden.mean() * 100:.0f} % hidden)"
    if one.prediction is None:
        return [kind, seen, "prediction"]
    return [kind, seen, "prediction of everything", "seen, and hidden as predicted"]


def _grey() -> NDArray[np.float64]:
    return np.array(to_rgb(MISSING)) * 255

"""Arrays and reports in, matplotlib figures out; `save_figure` writes them as PNG."""

from cavmae_sync.figures.style import save_figure
from cavmae_sync.figures.training import curve_figure, training_curves

__all__ = [
    "curve_figure",
    "save_figure",
    "training_curves",
]

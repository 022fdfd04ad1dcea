"""Arrays and reports in, matplotlib figures out; `save_figure` writes them as PNG."""

from cavmae_sync.figures.style import figure_pixels, save_figure
from cavmae_sync.figures.training import curve_figure, training_curves

__all__ = [
    "curve_figure",
    "figure_pixels",
    "save_figure",
    "training_curves",
]

"""Figures that belong to no single task: arrays and reports in, matplotlib figures out.

- `style`: colours, sizes and axes of all figures; `save_figure` writes PNG;
- `training`: curves of a training run; `tables`: tables of results as bars or curves;
- `page`: an HTML page with figures inside.
"""

from cavmae_sync.figures.style import figure_pixels, save_figure
from cavmae_sync.figures.training import curve_figure, training_curves

__all__ = [
    "curve_figure",
    "figure_pixels",
    "save_figure",
    "training_curves",
]

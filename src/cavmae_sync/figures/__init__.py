"""Arrays and reports in, matplotlib figures out; `save_picture` writes them as PNG."""

from cavmae_sync.figures.style import save_picture
from cavmae_sync.figures.training import curve_picture, training_curves

__all__ = [
    "curve_picture",
    "save_picture",
    "training_curves",
]

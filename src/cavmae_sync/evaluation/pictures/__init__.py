"""Arrays and reports in, matplotlib figures out; `save_picture` writes them as PNG."""

from cavmae_sync.evaluation.pictures.agreement import Storyboard, agreement_picture
from cavmae_sync.evaluation.pictures.matches import Direction, matches_picture
from cavmae_sync.evaluation.pictures.reconstruction import Reconstruction, reconstruction_picture
from cavmae_sync.evaluation.pictures.similarity import clip_picture, gallery_picture, gallery_pictures
from cavmae_sync.evaluation.pictures.style import save_picture
from cavmae_sync.evaluation.pictures.training import curve_picture, training_curves

__all__ = [
    "Direction",
    "Reconstruction",
    "Storyboard",
    "agreement_picture",
    "clip_picture",
    "curve_picture",
    "gallery_picture",
    "gallery_pictures",
    "matches_picture",
    "reconstruction_picture",
    "save_picture",
    "training_curves",
]

"""The reconstruction loss: predicted and true patch values in, one scalar out.

P (clip, frame) pairs, N patches, X values of a patch.
"""

import torch
from torch import Tensor

from cavmae_sync.paper import PIXEL_NORM_EPSILON


def normalize_patches(patches_PNX: Tensor) -> Tensor:
    """Each patch with its own mean removed and divided by its own deviation (unbiased variance + 1e-6)."""
    mean = patches_PNX.mean(dim=-1, keepdim=True)
    variance = patches_PNX.var(dim=-1, keepdim=True)
    return (patches_PNX - mean) / (variance + PIXEL_NORM_EPSILON).sqrt()


def reconstruction_loss(
    prediction_PNX: Tensor, target_PNX: Tensor, hidden_PN: Tensor, *, normalize_pixels: bool
) -> Tensor:
    """Mean squared error over the hidden patches of the batch; visible ones do not count.

    Args:
        prediction_PNX: Predicted values `[P, N, X]`.
        target_PNX: True values of the normalised picture, `[P, N, X]`.
        hidden_PN: bool `[P, N]`, True where the encoder did not see the patch.
        normalize_pixels: Whether the target is standardised patch by patch.

    Raises:
        ValueError: No patch is hidden, so that there is nothing to predict.

    Source:
        Spec 2.8.
    """
    if not bool(hidden_PN.any()):
        raise ValueError("no patch is hidden; set reconstruction_weight=0 or a mask ratio above 0")
    wide = torch.promote_types(prediction_PNX.dtype, torch.float32)
    target_PNX = target_PNX.to(wide)
    if normalize_pixels:
        target_PNX = normalize_patches(target_PNX)
    error_PN = (prediction_PNX.to(wide) - target_PNX).square().mean(dim=-1)
    return (error_PN * hidden_PN).sum() / hidden_PN.sum()

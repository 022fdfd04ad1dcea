"""The reconstruction loss: predicted and true patch values in, one scalar out.

P (clip, frame) pairs, N patches, M hidden ones of a pair, X values of a patch.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.paper import PIXEL_NORM_EPSILON


def normalize_patches(patches_PNX: Tensor) -> Tensor:
    """Standardise each patch by its own mean and deviation (unbiased variance + 1e-6), as published."""
    # A layer norm divides by the biased variance, which is `share` of the unbiased one.
    num_values = patches_PNX.shape[-1]
    share = (num_values - 1) / num_values
    scale_X = patches_PNX.new_full((num_values,), math.sqrt(share))
    return F.layer_norm(patches_PNX, (num_values,), weight=scale_X, eps=PIXEL_NORM_EPSILON * share)


def reconstruction_loss(prediction_PMX: Tensor, target_PMX: Tensor, *, normalize_pixels: bool) -> Tensor:
    """Mean squared error over the patches that the encoder did not see.

    Args:
        prediction_PMX: Predicted values of the hidden patches, `[P, M, X]`.
        target_PMX: True values of the same patches of the normalised image, `[P, M, X]`.
        normalize_pixels: Whether the target is standardised patch by patch.

    Raises:
        ValueError: No patch is hidden, so that there is nothing to predict.

    Source:
        Code: Sync, `forward_mae_loss`.
    """
    if target_PMX.shape[1] == 0:
        raise ValueError("no patch is hidden; set reconstruction_weight=0 or a mask ratio above 0")
    wide = torch.promote_types(prediction_PMX.dtype, torch.float32)
    target_PMX = target_PMX.to(wide)
    if normalize_pixels:
        target_PMX = normalize_patches(target_PMX)
    return F.mse_loss(prediction_PMX.to(wide), target_PMX)

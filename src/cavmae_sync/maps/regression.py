"""Regression of the values of views on which patches they show. V views, N patches."""

import torch
from torch import Tensor


def ridge_weights(is_shown_VN: Tensor, *, ridge: float) -> Tensor:
    """Matrix that turns one value for each view into one coefficient for each patch, float32 [N, V].

    The coefficient of a patch is what it adds when it is shown: the solution of a ridge regression with an
    intercept, which is not penalised.

    Args:
        is_shown_VN: Whether each view shows each patch.
        ridge: Penalty on the squared coefficients, > 0.
    """
    centred_VN = is_shown_VN.double() - is_shown_VN.double().mean(dim=0)
    products_NN = centred_VN.T @ centred_VN + ridge * torch.eye(centred_VN.shape[1], dtype=torch.float64)
    return torch.linalg.solve(products_NN, centred_VN.T).float()

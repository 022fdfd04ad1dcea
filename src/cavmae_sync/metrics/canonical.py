"""Canonical correlations: directions of two kinds of numbers that correlate most; the best linear baseline.

Letters: N things, E numbers of the one kind, F of the other, K directions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class CanonicalDirections:
    """Directions in which two kinds of numbers correlate, the strongest first.

    Attributes:
        first_mean_E: float64, mean of the first kind.
        first_EK: float64, directions of the first kind, each times its correlation.
        second_mean_F: The same of the second kind.
        second_FK: The same of the second kind.
        correlations_K: float64 in [0, 1], falling: correlations on the things that were fitted.
    """

    first_mean_E: Tensor
    first_EK: Tensor
    second_mean_F: Tensor
    second_FK: Tensor
    correlations_K: Tensor

    def project_first(self, numbers: Tensor) -> Tensor:
        """Coordinates of numbers of the first kind, [..., E] to float64 [..., K]."""
        return (numbers.double() - self.first_mean_E) @ self.first_EK

    def project_second(self, numbers: Tensor) -> Tensor:
        """Coordinates of numbers of the second kind, [..., F] to float64 [..., K]."""
        return (numbers.double() - self.second_mean_F) @ self.second_FK


def canonical_directions(
    first_NE: Tensor, second_NF: Tensor, *, num_directions: int, ridge: float
) -> CanonicalDirections:
    """Directions of canonical correlation, with a ridge so that many numbers can be fitted on few things.

    Args:
        first_NE: Numbers of the first kind; row i belongs to row i of the other.
        second_NF: Numbers of the second kind.
        num_directions: Number K of directions, at most the smaller of E and F.
        ridge: Share of the mean variance that is added to every variance, above 0.

    Raises:
        ValueError: Rows differ, or there are too many directions.

    Source:
        Hotelling 1936; with a ridge: Vinod 1976.
    """
    if len(first_NE) != len(second_NF) or len(first_NE) < 2:
        raise ValueError(f"Rows must belong together, got {len(first_NE)} and {len(second_NF)}.")
    most = min(first_NE.shape[1], second_NF.shape[1])
    if not 1 <= num_directions <= most or not ridge > 0:
        raise ValueError(
            f"There are at most {most} directions and the ridge is above 0, got {num_directions} and {ridge}."
        )
    first_NE, second_NF = first_NE.double(), second_NF.double()
    first_mean_E, second_mean_F = first_NE.mean(dim=0), second_NF.mean(dim=0)
    first_NE, second_NF = first_NE - first_mean_E, second_NF - second_mean_F
    first_EE, second_FF = _whitener(first_NE, ridge), _whitener(second_NF, ridge)
    between_EF = first_EE @ (first_NE.T @ second_NF / len(first_NE)) @ second_FF
    left_EK, correlations_K, right_KF = torch.linalg.svd(between_EF, full_matrices=False)
    correlations_K = correlations_K[:num_directions]
    # A direction that hardly correlates is noise: weighed by its correlation it can do no harm.
    return CanonicalDirections(
        first_mean_E=first_mean_E,
        first_EK=first_EE @ left_EK[:, :num_directions] * correlations_K,
        second_mean_F=second_mean_F,
        second_FK=second_FF @ right_KF[:num_directions].T * correlations_K,
        correlations_K=correlations_K.clamp(0.0, 1.0),
    )


def _whitener(centred_NE: Tensor, ridge: float) -> Tensor:
    """Inverse square root of the covariance with its ridge, [E, E]."""
    covariance_EE = centred_NE.T @ centred_NE / len(centred_NE)
    mean_variance = covariance_EE.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    values_E, vectors_EE = torch.linalg.eigh(covariance_EE)
    roots_E = (values_E.clamp_min(0.0) + ridge * mean_variance).rsqrt()
    return (vectors_EE * roots_E) @ vectors_EE.T

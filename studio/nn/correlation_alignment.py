"""Correlation alignment: a linear map that gives one sample of features the mean and covariance of another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def alignment(source: Tensor, target: Tensor, regularization: float) -> Callable[[Tensor], Tensor]:
    """Return the map (n, width) → (n, width) that whitens features by the source's covariance, colors them by the
    target's, and moves the source's mean to the target's.

    Source: Sun, Feng and Saenko 2016, arXiv:1511.05547, algorithm 1.

    Args:
        source: features, (n, width).
        target: features, (m, width).
        regularization: added to both covariances' diagonals, in units of the source's mean variance.
    """
    x, y = source.double(), target.double()
    ridge = regularization * x.var(0).mean() * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    matrix = _power(torch.cov(x.T) + ridge, -0.5) @ _power(torch.cov(y.T) + ridge, 0.5)
    before, after = x.mean(0), y.mean(0)

    def move(features: Tensor) -> Tensor:
        return ((features.double() - before) @ matrix + after).to(features.dtype)

    return move


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(1e-12).pow(exponent)) @ vectors.T

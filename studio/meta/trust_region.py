"""A step of trust region policy optimization on one vector of parameters (Schulman et al. 2015, arXiv:1502.05477)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SHRINK, TRIES = 0.7, 12  # of the line search: the last try is a fiftieth of the first step
Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """What became of a step: its mean KL divergence from the policies before, how much the loss fell, and the share of
    the first step that was taken, 0 where none improved the loss within the bound."""

    kl: float
    improvement: float
    share: float


def conjugate_gradients(
    product: Product, target: Tensor, iterations: int, tolerance: float = 1e-10
) -> tuple[Tensor, Tensor]:
    """Return x with A x ≈ target, and A x itself, for a positive definite A, given by its product with a vector."""
    solution, residual = torch.zeros_like(target), target.clone()
    direction, squared = residual.clone(), residual.dot(residual)
    for _ in range(iterations):
        if squared < tolerance:
            break
        image = product(direction)
        length = squared / direction.dot(image)
        solution = solution + length * direction
        residual = residual - length * image
        after = residual.dot(residual)
        direction, squared = residual + (after / squared) * direction, after
    return solution, target - residual


def trust_region_step(
    vector: Tensor,
    loss: float,
    gradient: Tensor,
    fisher: Product,
    evaluate: Callable[[], tuple[float, float]],
    max_kl: float,
    iterations: int,
    damping: float,
) -> Step:
    """Move a vector of parameters, in place, along the natural gradient, as far as the bound on the KL allows.

    Args:
        loss: at the vector.
        gradient: of the loss there.
        fisher: product of the KL's Hessian at the vector with a vector.
        evaluate: returns loss and mean KL divergence at the vector's present values.
        max_kl: bound on the KL divergence; also the quadratic model's, by which the first try is scaled.
        damping: multiple of the identity that is added to the Hessian.
    """
    start = vector.clone()
    direction, image = conjugate_gradients(lambda v: fisher(v) + damping * v, gradient, iterations)
    curvature = direction.dot(image)
    if not curvature > 0:  # no gradient, or not a number
        return Step(0.0, 0.0, 0.0)
    step = (2 * max_kl / curvature).sqrt() * direction
    for tried in range(TRIES):
        share = SHRINK**tried
        vector.copy_(start - share * step)
        reached, kl = evaluate()
        if reached < loss and kl <= max_kl:
            return Step(kl, loss - reached, share)
    vector.copy_(start)
    return Step(0.0, 0.0, 0.0)

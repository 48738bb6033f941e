"""Normal posteriors of a latent variable whose prior is N(0, I): products of factors, and the distance to the prior."""

from __future__ import annotations

import torch
from torch import Tensor


def normal_product(means: Tensor, precisions: Tensor, dim: int = -2) -> tuple[Tensor, Tensor]:
    """Return mean and variance, (…, latent), of the prior N(0, I) times normal factors along ``dim``.

    The order of the factors does not matter, and without any it is the prior. Source: Rakelly et al. 2019,
    arXiv:1903.08254, section 4.1, whose product leaves the prior out.

    Args:
        means, precisions: of the factors, (…, factors, latent); a factor of precision 0 says nothing.
    """
    variance = 1 / (1 + precisions.sum(dim))
    return variance * (precisions * means).sum(dim), variance


def kl_to_prior(mean: Tensor, variance: Tensor) -> Tensor:
    """Return KL(N(mean, diag(variance)) ‖ N(0, I)), (…), nats."""
    return 0.5 * (mean.square() + variance - 1 - torch.log(variance)).sum(-1)

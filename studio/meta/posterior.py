"""Normal posteriors of a latent variable whose prior is N(0, I): products of factors, and the distance to the prior."""

from __future__ import annotations

import torch
from torch import Tensor


def normal_product(precision: Tensor, weighted: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, (…, latent), of the prior N(0, I) times normal factors, given what they sum up to.

    The order of the factors does not matter, and without any, as of zeros, it is the prior. Source: Rakelly et al.
    2019, arXiv:1903.08254, section 4.1, whose product leaves the prior out.

    Args:
        precision: sum of the factors' precisions, (…, latent).
        weighted: sum of their means times their precisions, (…, latent).
    """
    variance = 1 / (1 + precision)
    return variance * weighted, variance


def kl_to_prior(mean: Tensor, variance: Tensor) -> Tensor:
    """Return KL(N(mean, diag(variance)) ‖ N(0, I)), (…), nats."""
    return 0.5 * (mean.square() + variance - 1 - torch.log(variance)).sum(-1)

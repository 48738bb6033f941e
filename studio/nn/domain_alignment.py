"""Alignment of two domains' features: a discriminator, gradient reversal, and measures of their distance."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from studio.contracts import Batch, Outputs

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the kernels, in units of the median distance
RIDGE = 1e-3  # of the probe, in units of a feature's variance


def _perceptron(features: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


class Discriminator(nn.Module):
    """Classifies features by their domain: (n, features) → log odds of the target, (n,)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.layers = _perceptron(features, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).squeeze(-1)


def domain_loss(source: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy, (), for log odds (n,) of source features and (m,) of target features, both domains
    weighted equally."""
    parts = [
        binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
        for logits, label in ((source, 0.0), (target, 1.0))
    ]
    return (parts[0] + parts[1]) / 2


def domain_accuracy(source: Tensor, target: Tensor) -> Tensor:
    """Return the balanced accuracy of log odds (n,) of source features and (m,) of target features, (); 0.5 is
    chance."""
    return ((source <= 0).float().mean() + (target > 0).float().mean()) / 2


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight: float) -> Tensor:
        context.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -context.weight * gradients[0], None


def reverse_gradient(x: Tensor, weight: float) -> Tensor:
    """Return ``x``, whose gradient is multiplied by −weight (Ganin et al. 2016, arXiv:1505.07818, equation 18)."""
    reversed_: Tensor = _Reversal.apply(x, weight)
    return reversed_


def adversarial_weight(progress: float) -> float:
    """Return λ after a share ``progress`` of the training: 2 / (1 + exp(−10 p)) − 1 (Ganin et al. 2016)."""
    return 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0


class DomainAdversarialLoss(nn.Module):
    """An auxiliary loss that makes features domain-invariant (Ganin et al. 2016, arXiv:1505.07818).

    A discriminator learns to classify target and sources; its gradient is reversed before it reaches the features.

    Args:
        features: width of the policy's features.
        width: width of the discriminator's hidden layers.
        weight: final value of λ, to which it rises in the course of the training.
    """

    def __init__(self, features: int, width: int, weight: float) -> None:
        super().__init__()
        self.discriminator, self.weight = Discriminator(features, width), weight

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the discriminator's cross-entropy on a batch that holds both, with its accuracy."""
        reversal = self.weight * adversarial_weight(batch.progress)
        logits = self.discriminator(reverse_gradient(outputs.features, reversal))
        source, target = logits[batch.domain > 0], logits[batch.domain == 0]
        loss = domain_loss(source, target)
        return loss, {"domain_loss": loss.detach(), "domain_accuracy": domain_accuracy(source, target)}


class EmbodimentAdversarialLoss(nn.Module):
    """An auxiliary loss after which features no longer tell one robot from another.

    A classifier learns to name the embodiment; its gradient is reversed before it reaches the features, as in
    :class:`DomainAdversarialLoss`, with one class for each of several robots.

    Args:
        features: width of the policy's features.
        embodiments: how many there are.
        width: of the classifier's hidden layers.
        weight: what λ rises to in the course of the training.
    """

    def __init__(self, features: int, embodiments: int, width: int, weight: float) -> None:
        super().__init__()
        self.classifier, self.weight = _perceptron(features, width, embodiments), weight

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the classifier's cross-entropy, with its accuracy; each embodiment weighs the same."""
        reversal = self.weight * adversarial_weight(batch.progress)
        logits = self.classifier(reverse_gradient(outputs.features, reversal))
        counts = torch.bincount(batch.embodiment, minlength=logits.shape[1])
        weights = 1 / (counts[batch.embodiment] * (counts > 0).sum())
        loss = (cross_entropy(logits, batch.embodiment, reduction="none") * weights).sum()
        right = (logits.argmax(1) == batch.embodiment).float()
        return loss, {"embodiment_loss": loss.detach(), "embodiment_accuracy": (right * weights).sum()}


class DiscrepancyLoss:
    """An auxiliary loss that pulls the features of target and sources together: λ · MMD² (Long et al. 2015).

    Args:
        weight: what λ rises to in the course of the training, by the schedule of :func:`adversarial_weight`.
    """

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted discrepancy of a batch that holds both, with its own value."""
        found = mmd(outputs.features[batch.domain > 0], outputs.features[batch.domain == 0])
        return self.weight * adversarial_weight(batch.progress) * found, {"mmd": found.detach()}


def mmd(one: Tensor, other: Tensor) -> Tensor:
    """Return the squared maximum mean discrepancy, (), of two samples (n, width) and (m, width).

    It is the unbiased estimate with a mean of Gaussian kernels: near 0, and possibly below, for samples of one
    distribution. Source: Gretton et al. 2012, JMLR 13, equation 3; several bandwidths as in Long et al. 2015,
    arXiv:1502.02791.
    """
    n, rows = len(one), torch.cat([one, other])
    squared = torch.cdist(rows, rows).square()
    apart = squared[~torch.eye(len(rows), dtype=torch.bool, device=rows.device)]
    scale = apart.median().clamp_min(1e-12)
    kernel = torch.stack([torch.exp(-squared / (scale * factor)) for factor in BANDWIDTHS]).mean(0)

    def within(block: Tensor) -> Tensor:
        return (block.sum() - block.diagonal().sum()) / (len(block) * (len(block) - 1))

    return within(kernel[:n, :n]) + within(kernel[n:, n:]) - 2 * kernel[:n, n:].mean()


def probe(features: Tensor, values: Tensor) -> float:
    """Return R² of a linear probe that predicts values (n,) or (n, k) from features (n, width), the mean over k.

    The probe is fitted on every other row and scored on the rest. Below 0: worse than the mean; NaN where a value is
    constant.
    """
    x, y = features.double(), values.double().reshape(len(values), -1)
    fitted, scored = slice(0, None, 2), slice(1, None, 2)
    mean, center = x[fitted].mean(0), y[fitted].mean(0)
    weights = _ridge(x[fitted], y[fitted] - center)
    residual = y[scored] - center - (x[scored] - mean) @ weights
    return float((1 - residual.square().sum(0) / (y[scored] - y[scored].mean(0)).square().sum(0)).mean())


def _ridge(x: Tensor, y: Tensor) -> Tensor:
    """Return the weights of a ridge regression, (width, k), of centered values (n, k) on x (n, width)."""
    centered = x - x.mean(0)
    gram = centered.T @ centered
    gram.diagonal().add_(RIDGE * len(centered) * centered.var(0, unbiased=False).mean().clamp_min(1e-12))
    return torch.linalg.solve(gram, centered.T @ y)


def class_probe(features: Tensor, labels: Tensor) -> float:
    """Return how well a linear probe tells classes apart by features (n, width): the mean of the classes' accuracies.

    Least squares on the classes' indicators, fitted on every other row and scored on the rest; chance is 1 / classes.
    NaN where there is one class.
    """
    classes = int(labels.max()) + 1
    if len(labels.unique()) < 2:
        return math.nan
    fitted, scored = slice(0, None, 2), slice(1, None, 2)
    guesses = linear_guesses(features[fitted], one_hot(labels[fitted], classes), features[scored])
    right = (guesses == labels[scored]).double()
    return float(torch.stack([right[labels[scored] == k].mean() for k in labels[scored].unique()]).mean())


def linear_guesses(features: Tensor, indicators: Tensor, others: Tensor) -> Tensor:
    """Return the classes, (m,), of other features (m, width) by a linear probe: least squares on the classes'
    indicators, (n, classes), of features (n, width)."""
    x, y = features.double(), indicators.double()
    weights = _ridge(x, y - y.mean(0))
    return ((others.double() - x.mean(0)) @ weights + y.mean(0)).argmax(1)

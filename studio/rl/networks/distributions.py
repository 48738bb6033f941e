"""What a stochastic policy samples its actions from: a diagonal normal distribution, or one over discrete choices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor


class ActionDistribution(Protocol):
    """A distribution over actions for each row of an actor's outputs."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return the log density or log probability, (…,), of actions (…, width)."""

    def entropy(self) -> Tensor:
        """Return the mean entropy over the rows, (), nats."""

    def rows(self, count: int) -> Self:
        """Return the distributions of the first ``count`` rows."""

    def flattened(self) -> Self:
        """Return the distributions of (time, env, …) outputs as those of (time · env, …)."""


@dataclass
class Normal:
    """Independent normal distributions with means (…, width) and log standard deviations (width,)."""

    means: Tensor
    log_std: Tensor

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return the log density, (…,), of actions (…, width)."""
        z = (actions - self.means) * (-self.log_std).exp()
        return -(0.5 * z.square() + self.log_std + 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        """Return the entropy, (), nats: the same for all rows."""
        return normal_entropy(self.log_std)

    def rows(self, count: int) -> Normal:
        """Return the distributions of the first ``count`` rows."""
        return Normal(self.means[:count], self.log_std)

    def flattened(self) -> Normal:
        """Return the distributions of (time, env, width) means as those of (time · env, width)."""
        return Normal(self.means.flatten(0, 1), self.log_std)


@dataclass
class Categorical:
    """Distributions over discrete choices, given by logits (…, choices); an action is a choice's number, (…, 1)."""

    logits: Tensor

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return the log probability, (…,), of choices (…, 1)."""
        return self.logits.log_softmax(-1).gather(-1, actions.long()).squeeze(-1)

    def entropy(self) -> Tensor:
        """Return the mean entropy over the rows, (), nats."""
        return self.entropies().mean()

    def entropies(self) -> Tensor:
        """Return the entropy of each row, (…,), nats."""
        logs = self.logits.log_softmax(-1)
        return -(logs.exp() * logs).sum(-1)

    def rows(self, count: int) -> Categorical:
        """Return the distributions of the first ``count`` rows."""
        return Categorical(self.logits[:count])

    def flattened(self) -> Categorical:
        """Return the distributions of (time, env, choices) logits as those of (time · env, choices)."""
        return Categorical(self.logits.flatten(0, 1))


def normal_entropy(log_std: Tensor) -> Tensor:
    """Return the entropy of a diagonal normal distribution, (), nats."""
    return (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


def gumbel(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return Gumbel noise: the largest of logits plus noise is a sample of their distribution (Gumbel-max trick)."""
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return -(-uniform.clamp(min=1e-20).log()).clamp(min=1e-20).log()

"""Encoders of a task: from the transitions of its support to the posterior of a latent variable.

Each reads a whole support at once, or absorbs it transition by transition into a summary of fixed width, with the same
result. Without a transition the posterior is the prior N(0, I).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.meta.posterior import normal_product
from studio.rl.networks.squashed import MLPEnsemble

LEAST_DEVIATION = 1e-3  # of a factor: no single transition says more


class FactorEncoder(nn.Module):
    """Gives every transition a normal factor; the posterior is their product, whatever their order.

    Source: Rakelly et al. 2019 (PEARL), arXiv:1903.08254, section 4.1.

    Args:
        inputs: width of a transition.
        latent: width of the latent variable.
        width, layers: of the hidden layers.
    """

    def __init__(self, inputs: int, latent: int, width: int, layers: int) -> None:
        super().__init__()
        self.latent, self.summary_width = latent, 2 * latent  # precisions, and means times precisions, summed
        self.network = MLPEnsemble([inputs, *[width] * layers, 2 * latent])

    def forward(self, support: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances of posteriors, (tasks, n, latent): several for each task, by parts of its
        support.

        Args:
            support: (tasks, transitions, inputs).
            mask: 1 where a posterior is given the transition and 0 where it is not, (tasks, n, transitions).
        """
        mean, precision = self._factors(support.flatten(0, -2))
        factors = torch.cat([precision, precision * mean], -1).view(*support.shape[:2], self.summary_width)
        return self.read(mask @ factors)  # each transition is encoded once, for all of its task's posteriors

    def absorb(self, summary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
        """Return summaries (n, summary_width) after one transition each, (n, inputs), where the mask (n,) is 1. Zeros
        are the summary of no transitions."""
        mean, precision = self._factors(transitions)
        precision = precision * mask[:, None]
        return summary + torch.cat([precision, precision * mean], -1)

    def read(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and variance, (…, latent), given summaries (…, summary_width)."""
        return normal_product(*summary.chunk(2, -1))

    def _factors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and precision, (n, latent), of the factors of transitions (n, inputs)."""
        return _normal(self.network(rows)[0])


class RecurrentEncoder(nn.Module):
    """Reads the transitions in their order by a GRU, whose last state gives one factor beside the prior: the recurrent
    encoder that PEARL was compared with (section 6.4). Arguments are those of :class:`FactorEncoder`."""

    def __init__(self, inputs: int, latent: int, width: int, layers: int) -> None:
        super().__init__()
        self.latent, self.summary_width = latent, width + 1  # the state, and whether there was a transition
        self.core = nn.GRUCell(inputs, width)
        self.network = MLPEnsemble([*[width] * layers, 2 * latent])

    def forward(self, support: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances of posteriors, (tasks, n, latent); see :meth:`FactorEncoder.forward`. Each is
        given a task's first transitions: the mask is 0 behind a 0."""
        core, start = self.core, support.new_zeros(1, len(support), self.core.hidden_size)
        weights = [core.weight_ih, core.weight_hh, core.bias_ih, core.bias_hh]
        # input, hidden state, weights, biases, layers, dropout, training, bidirectional, batch first
        states = torch.gru(support, start, weights, True, 1, 0.0, True, False, True)[0]
        count = mask.sum(-1).long()
        last = states[torch.arange(len(states), device=states.device)[:, None], (count - 1).clamp(min=0)]
        return self.read(torch.cat([last, (count > 0)[..., None].to(last)], -1))

    def absorb(self, summary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
        """Return summaries after one transition each; see :meth:`FactorEncoder.absorb`."""
        state = self.core(transitions, summary[:, :-1])
        after = torch.cat([state, torch.ones_like(summary[:, -1:])], -1)
        return torch.where(mask[:, None] > 0, after, summary)

    def read(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and variance, (…, latent), given summaries (…, summary_width)."""
        rows = summary.flatten(0, -2)
        mean, precision = _normal(self.network(rows[:, :-1])[0])
        precision = precision * rows[:, -1:]
        mean, variance = normal_product(precision, precision * mean)
        shape = (*summary.shape[:-1], self.latent)
        return mean.view(shape), variance.view(shape)


def _normal(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and precisions, (n, latent), from a network's outputs (n, 2 · latent)."""
    mean, raw = outputs.chunk(2, -1)
    return mean, 1 / (functional.softplus(raw) + LEAST_DEVIATION**2)

"""A tanh-squashed Gaussian actor with twin critics, trained by soft actor-critic."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.contracts import Outputs
from studio.rl.networks.policy import FlatPolicy

Array = np.ndarray
LOG_STD_LOW, LOG_STD_HIGH = -20.0, 2.0
ENTROPY_DRAWS = 16  # samples per entropy estimate


class MLPEnsemble(nn.Module):
    """Several networks of the same shape: each layer of all of them is one batched product, (networks, n, width).

    ReLU between the layers; weights are initialized as ``nn.Linear`` does.
    """

    def __init__(self, widths: list[int], networks: int = 1) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n, m in pairwise(widths):
            bound = 1 / math.sqrt(n)
            self.weights.append(nn.Parameter(torch.empty(networks, n, m).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(networks, 1, m).uniform_(-bound, bound)))

    def forward(self, rows: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Return (networks, n, last width) float32 for rows (n, width) or (networks, n, width).

        Args:
            precision: data type of the matrix products; the weights stay float32.
        """
        return self._layer(len(self.weights) - 1, self.features(rows, precision), precision)

    def features(self, rows: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Return the last hidden layer, (networks, n, width) in ``precision``."""
        networks = self.weights[0].shape[0]
        x = rows.to(precision)
        x = x.expand(networks, *x.shape) if x.ndim == 2 else x
        for i in range(len(self.weights) - 1):
            x = functional.relu(self._layer(i, x, precision)).to(precision)
        return x

    def outputs(self, rows: Tensor) -> Outputs:
        """Return the last hidden layer and the outputs of the first network, (n, …) each."""
        features = self.features(rows)
        return Outputs(features[0], self._layer(len(self.weights) - 1, features, torch.float32)[0])

    def _layer(self, i: int, x: Tensor, precision: torch.dtype) -> Tensor:
        # not baddbmm, which copies the bias to every row first; this addition is fused when compiled
        return torch.bmm(x, self.weights[i].to(precision)).float() + self.biases[i]


class SquashedActorCritic(FlatPolicy):
    """A tanh-squashed normal distribution over actions scaled to [−1, 1], with state-dependent mean and deviation, and
    two Q-critics of which the lower value is used (Haarnoja et al. 2018, arXiv:1812.05905).

    A policy without ``inputs`` is blank: :meth:`fit` gives it a world's sizes and ranges and initializes its weights.
    """

    id = "squashed_mlp"
    title = "Squashed Gaussian MLP"
    summary = "Stochastic actor MLP with two Q-critics; for SAC."
    reference = "Haarnoja et al. 2018, Soft Actor-Critic Algorithms and Applications (arXiv:1812.05905)"
    algorithm = "sac"  # the key in studio.rl.learners of what trains it as a source policy

    def fit(self, inputs: int, low: Array, high: Array, seed: int) -> None:
        """Build the networks for observations of width ``inputs`` and actions within ``low`` to ``high`` (width,)."""
        self.make(seed, inputs=inputs, outputs=len(low))
        self.set_ranges(low, high)

    def _build(self) -> None:
        p = self.params
        hidden = [p.width] * p.layers
        self.actor = MLPEnsemble([p.inputs, *hidden, 2 * p.outputs])
        self.critics = MLPEnsemble([p.inputs + p.outputs, *hidden, 1], networks=2)
        self._add_ranges()

    def draw(
        self, observations: Tensor, noise: Tensor, precision: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """Return actions in [−1, 1] (n, outputs) from standard normal noise of that shape, and log densities (n,)."""
        return squash(self.actor(observations, precision)[0], noise)

    def q(self, observations: Tensor, actions: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Return both critics' Q-values, (2, n), of actions in [−1, 1]."""
        return self.critics(torch.cat([observations, actions], -1), precision).squeeze(-1)

    def outputs(self, rows: Tensor) -> Outputs:
        found = self.actor.outputs(rows)
        return Outputs(found.features, split(found.prediction)[0])

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the squashed means as native actions (n, outputs); there is no memory."""
        with torch.inference_mode():
            return self.native(torch.tanh(self._distribution(observation, memory)[0])).cpu().numpy(), memory

    def value(self, observation: Any, memory: Any = None) -> Array:
        """Return the lower critic's Q of its own action, (n,), in the scale of the rewards."""
        with torch.inference_mode():
            rows = self._rows(observation, memory)
            actions = torch.tanh(split(self.actor(rows)[0])[0])
            return self.q(rows, actions).amin(0).cpu().numpy()

    def entropy(self, observation: Any, memory: Any = None) -> Array:
        """Return the entropy of the exploring action distribution, (n,), nats, with actions scaled to [−1, 1].

        It is estimated from samples with a fixed seed: a squashed normal's entropy has no closed form.
        """
        with torch.inference_mode():
            mean, log_std = self._distribution(observation, memory)
            generator = torch.Generator(mean.device).manual_seed(0)
            noise = torch.randn((ENTROPY_DRAWS, *mean.shape), generator=generator, device=mean.device)
            normal = (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
            correction = log_slope(mean + log_std.exp() * noise).sum(-1).mean(0)
            return (normal + correction).cpu().numpy()

    def native(self, actions: Tensor) -> Tensor:
        """Return actions scaled to [−1, 1] in the world's own units."""
        return self.low + (self.high - self.low) * (actions + 1) / 2

    def _rows(self, observation: Any, memory: Any) -> Tensor:
        """Return what actor and critics read beside an action, (n, width)."""
        return self._inputs(observation)

    def _distribution(self, observation: Any, memory: Any) -> tuple[Tensor, Tensor]:
        return split(self.actor(self._rows(observation, memory))[0])


def split(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and log standard deviation before squashing, (n, width) each, of an actor's output (n, 2 · width)."""
    mean, log_std = parameters.chunk(2, -1)
    return mean, log_std.clamp(LOG_STD_LOW, LOG_STD_HIGH)


def squash(parameters: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return actions in [−1, 1] (n, width) and their log density (n,), sampled with standard normal noise (n, width)
    from an actor's output (n, 2 · width). Source: Haarnoja et al. 2018, appendix C, equations 20 and 21."""
    mean, log_std = split(parameters)
    raw = mean + log_std.exp() * noise
    density = -(0.5 * noise.square() + log_std + 0.5 * math.log(2 * math.pi)) - log_slope(raw)
    return torch.tanh(raw), density.sum(-1)


def log_slope(raw: Tensor) -> Tensor:
    """Return log(1 − tanh²(x)) in its numerically stable form 2 (log 2 − x − softplus(−2x))."""
    return 2 * (math.log(2) - raw - functional.softplus(-2 * raw))

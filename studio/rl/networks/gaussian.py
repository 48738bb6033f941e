"""An actor and its critic, with their normalization of observations and actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import Outputs
from studio.experiment import setting
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.networks.distributions import ActionDistribution, Categorical, Normal, gumbel, normal_entropy
from studio.rl.networks.mlp import network, unwrapped
from studio.rl.networks.observations import flatten
from studio.rl.networks.policy import FlatPolicy, MLPParams

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class GaussianActorCritic(FlatPolicy):
    """Distribution over actions, and value, of a normalized observation.

    Continuous actions are normally distributed, with one log standard deviation for each component: they are sampled in
    units in which their range is [−1, 1], and clipped only when they go to the world. Of discrete choices every one has
    a logit.

    A policy without ``inputs`` is blank: :meth:`fit` gives it a world's sizes and ranges and initializes its weights.
    """

    id = "gaussian_mlp"
    title = "Gaussian MLP"
    summary = "Actor and critic MLPs on the state; for PPO. Of discrete choices the actor gives logits."
    reference = "Schulman et al. 2017, Proximal Policy Optimization (arXiv:1707.06347), section 6.1"
    algorithm = "ppo"  # the key in studio.rl.learners of what trains it as a source policy

    class Params(MLPParams):
        """Size of the networks."""

        width: int = setting(64, "Width", "Width of the hidden layers.", ge=4, le=4096)
        log_std: float = setting(
            0.0, "Log-std", "Logarithm of the initial standard deviation of the actions.", ge=-5, le=2
        )
        choices: int = setting(
            0,
            "Choices",
            "Number of discrete choices; 0: continuous actions.",
            ge=0,
            le=10_000,
            derived=True,
            since=2,
        )

    def fit_to(self, world: World, seed: int) -> None:
        self.fit(self._width(world), world.control.low, world.control.high, seed, world.choices)

    def fit(self, inputs: int, low: Array, high: Array, seed: int, choices: int = 0) -> None:
        """Build the networks for observations of width ``inputs`` and actions within ``low`` to ``high`` (width,).

        Args:
            choices: under a discrete control, how many there are; the range is then (1,).
        """
        self.make(seed, inputs=inputs, outputs=len(low), choices=choices)
        self.set_ranges(low, high)

    def _build(self) -> None:
        p = self.params
        widths = [self.input_width, *[p.width] * p.layers]
        self.actor = network([*widths, p.choices or p.outputs], 0.01)
        self.critic = network([*widths, 1], 1.0)
        if not p.choices:
            self.log_std = nn.Parameter(torch.full((p.outputs,), p.log_std))
        self.moments = RunningMeanStd(p.inputs)
        self.rewards = RunningMeanStd(1)  # of discounted returns: the scale of the critic's values
        self._add_ranges()

    @property
    def input_width(self) -> int:
        """Return the width of the actor's and critic's input."""
        return self.params.inputs

    def forward(self, normalized: Tensor) -> tuple[ActionDistribution, Tensor]:
        """Return the distributions of the actions and the values, (n,), for normalized observations (n, inputs)."""
        return self.distribution(self.actor(normalized)), self.critic(normalized).squeeze(-1)

    def distribution(self, outputs: Tensor) -> ActionDistribution:
        """Return what actions are sampled from, given the actor's outputs: means, or logits."""
        return Categorical(outputs) if self.params.choices else Normal(outputs, self.log_std)

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return the noise, (*shape, width of the actor's outputs), that :meth:`explored` adds to these."""
        if self.params.choices:
            return gumbel((*shape, self.params.choices), generator)
        drawn = torch.randn(*shape, self.params.outputs, generator=generator, device=generator.device)
        return drawn.mul_(self.log_std.detach().exp())

    def explored(self, outputs: Tensor, noise: Tensor) -> Tensor:
        """Return sampled actions, (n, outputs), from the actor's outputs and :meth:`noise`."""
        noisy = outputs + noise
        return noisy.argmax(-1, keepdim=True).float() if self.params.choices else noisy

    def collecting_actor(self) -> Callable[[Tensor], Tensor]:
        """Return what the actor computes as a plain function, for a few rows at a time and without gradients."""
        return unwrapped(self.actor)

    def outputs(self, rows: Tensor) -> Outputs:
        features = self.actor[:-1](rows)
        return Outputs(features, self.actor[-1](features))

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the means as native actions (n, outputs) within their range, or the likeliest choices (n, 1); there is
        no memory."""
        with torch.inference_mode():
            return self._native_mode(self.actor(self._normalized(observation))), memory

    def value(self, observation: Any, memory: Any = None) -> Array:
        """Return the critic's V(s), (n,), in the scale of the normalized rewards."""
        with torch.inference_mode():
            return self.critic(self._normalized(observation)).squeeze(-1).cpu().numpy()

    def entropy(self, observation: Any, memory: Any = None) -> Array:
        """Return the entropy of the exploring action distribution, (n,), nats, with actions scaled to [−1, 1]."""
        with torch.inference_mode():
            if self.params.choices:
                return Categorical(self.actor(self._normalized(observation))).entropies().cpu().numpy()
            return np.full(len(flatten(observation)), float(normal_entropy(self.log_std)))

    def _normalized(self, observation: Any) -> Tensor:
        """Return the normalized network input for an observation, (n, inputs)."""
        normalized: Tensor = self.moments(self._inputs(observation))
        return normalized

    def native(self, actions: Tensor) -> Tensor:
        """Return actions scaled to [−1, 1] in the world's own units, clipped to their range; choices as they are."""
        if self.params.choices:
            return actions
        return torch.lerp(self.low, self.high, actions.clamp(-1, 1).add_(1).mul_(0.5))

    def _native_mode(self, outputs: Tensor) -> Array:
        """Return the likeliest actions, (n, outputs), native, given the actor's outputs."""
        best = outputs.argmax(-1, keepdim=True).float() if self.params.choices else self.native(outputs)
        return best.cpu().numpy()

"""An actor that is adapted to each task by gradient steps on its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import Outputs
from studio.experiment import setting
from studio.meta.inner_loop import Parameters
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.networks.distributions import normal_entropy
from studio.rl.networks.mlp import network
from studio.rl.networks.policy import FlatPolicy, MLPParams

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class TaskActor(FlatPolicy):
    """Normal distribution over actions, given a normalized observation.

    Actions are in units in which their range is [−1, 1], and clipped only when they go to the world. There is no
    critic: advantages come from a baseline that is fitted to each task's returns.
    """

    id = "task_mlp"
    title = "Task MLP"
    summary = "Actor MLP on the state whose weights a few gradient steps adapt to a task; for MAML from rewards."
    reference = "Finn et al. 2017 (arXiv:1703.03400), section 5.3"
    infers_task = True

    class Params(MLPParams):
        """Size of the network."""

        width: int = setting(64, "Width", "Width of the hidden layers.", ge=4, le=4096)
        log_std: float = setting(
            0.0, "Log-std", "Logarithm of the initial standard deviation of the actions.", ge=-5, le=2
        )

    @property
    def latent(self) -> int:
        """Return the width of the latent that the network reads beside the observation: 0, there is none."""
        return 0

    def fit_to(self, world: World, seed: int) -> None:
        """Build the network for a world's observations and actions; the same seed gives the same weights."""
        low, high = world.control.low, world.control.high
        self.make(seed, inputs=self._width(world), outputs=len(low))
        self.set_ranges(low, high)

    def _build(self) -> None:
        p = self.params
        self.actor = network([p.inputs + self.latent, *[p.width] * p.layers, p.outputs], 0.01)
        self.log_std = nn.Parameter(torch.full((p.outputs,), p.log_std))
        self.moments = RunningMeanStd(p.inputs)
        self._add_ranges()

    def outputs(self, rows: Tensor) -> Outputs:
        features = self.actor[:-1](rows)
        return Outputs(features, self.actor[-1](features))

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the means as native actions (n, outputs); there is no memory."""
        with torch.inference_mode():
            rows = self.moments(self._inputs(observation))
            return self.native(self.actor(rows)).cpu().numpy(), memory

    def entropy(self, observation: Any, memory: Any = None) -> Array:
        """Return the entropy of the exploring action distribution, (n,), nats, with actions scaled to [−1, 1]."""
        with torch.inference_mode():
            return np.full(len(self._inputs(observation)), float(normal_entropy(self.log_std)))

    def native(self, actions: Tensor) -> Tensor:
        """Return actions scaled to [−1, 1] in the world's own units, clipped to their range."""
        return torch.lerp(self.low, self.high, actions.clamp(-1, 1).add(1).mul(0.5))


def action_means(parameters: Parameters, observations: Tensor, latents: Tensor | None = None) -> Tensor:
    """Return an actor's means, (…, n, outputs), under given parameters.

    Where these are stacked, weights (tasks, outputs, inputs) and biases (tasks, outputs), each task's rows are read by
    its own network in one batched product.

    Args:
        observations: normalized, (…, n, inputs).
        latents: of the same rows, (…, n, latent); None: the actor has no latent.
    """
    rows = observations if latents is None else torch.cat([observations, latents], -1)
    weights = [name for name in parameters if name.startswith("actor.") and name.endswith(".weight")]
    for place, name in enumerate(weights):
        bias = parameters[name.replace("weight", "bias")].unsqueeze(-2)
        rows = rows @ parameters[name].mT + bias
        rows = rows if place == len(weights) - 1 else rows.tanh()
    return rows

"""Policies that are adapted to labeled examples of a task: what they make of the examples is a perceptron's weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from studio.contracts import Observation
from studio.experiment import setting
from studio.meta.hidden_context import CONTEXT_KEYS
from studio.rl.networks.gaussian import FlatPolicy, MLPParams, flatten

Array = np.ndarray
Weights = Mapping[str, Tensor]  # of the perceptron, or all of a policy's parameters, by name
FEWEST = 1e-4  # standard deviation: what hardly varies is not scaled up


class SupportPerceptron(FlatPolicy):
    """A perceptron with hidden layers of rectifiers whose weights an adaptation replaces, in each task by others.

    The adapted weights are its memory, (n, numbers), so that every row may be of another task; without a memory it acts
    by weights of its own. It never reads the context. A subclass says in :meth:`adapt` how weights come from examples.
    Observations and actions are scaled to mean 0 and standard deviation 1 over the training's examples.
    """

    reads_support = True
    loss_unit = "MSE"
    observation_mean: Tensor
    observation_std: Tensor
    action_mean: Tensor
    action_std: Tensor

    class Params(MLPParams):
        """Size of the perceptron."""

        width: int = setting(40, "Width", "Width of the hidden layers.", ge=4, le=4096)
        ignored: list[str] = setting(
            [*CONTEXT_KEYS], "Ignored", "Observation entries that the policy does not receive, such as the goal."
        )

    def fit_to(self, world: Any, seed: int) -> None:
        """Build the networks for a world's observations and actions; the same seed gives the same weights."""
        self.make(seed, inputs=self._width(world), outputs=len(world.control.low))
        self.set_ranges(world.control.low, world.control.high)

    def fit_scales(self, observations: Observation, actions: Array) -> None:
        """Take means and standard deviations of observations (…, width), by entry, and native actions (…, outputs)."""
        for name, rows in (("observation", flatten(observations, self.params.ignored)), ("action", actions)):
            axes = tuple(range(rows.ndim - 1))
            mean, std = (torch.from_numpy(f(rows, axis=axes, dtype=float)) for f in (np.mean, np.std))
            self.get_buffer(f"{name}_mean").copy_(mean)
            self.get_buffer(f"{name}_std").copy_(torch.where(std > FEWEST, std, 1.0))

    def adapt(self, parameters: Weights, observations: Tensor, actions: Tensor) -> dict[str, Tensor]:
        """Return the perceptron's weights for each task, by name, (tasks, …); a function of the parameters.

        Args:
            parameters: all of the policy's, as ``named_parameters`` has them.
            observations: of the support, scaled, (tasks, n, inputs).
            actions: the labels, scaled, (tasks, n, outputs).
        """
        raise NotImplementedError

    def query_loss(
        self, parameters: Weights, support: tuple[Tensor, Tensor], query: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the loss on each task's query after adaptation to its support, (tasks,), and its MSE in native units,
        (tasks,).

        Args:
            support: scaled observations and actions, (tasks, n, width) each; ``query``: the same.
        """
        predicted = self.predict(self.adapt(parameters, *support), query[0])
        squares = (predicted - query[1]).square()
        return squares.mean((1, 2)), (squares.detach() * self.action_std.square()).mean((1, 2))

    def predict(self, weights: Weights, observations: Tensor) -> Tensor:
        """Return scaled actions, (tasks, n, outputs), of each task's weights for scaled observations."""
        found: Tensor = torch.vmap(lambda own, rows: functional_call(self.network, own, (rows,)))(
            dict(weights), observations
        )
        return found

    def scaled(self, observation: Any) -> Tensor:
        """Return an observation's entries side by side and scaled, (…, inputs), on the policy's device."""
        rows = torch.as_tensor(flatten(observation, self.params.ignored), dtype=torch.float32, device=self.low.device)
        return (rows - self.observation_mean) / self.observation_std

    def scaled_actions(self, actions: Array) -> Tensor:
        """Return native actions, scaled, (…, outputs)."""
        rows = torch.as_tensor(actions, dtype=torch.float32, device=self.low.device)
        return (rows - self.action_mean) / self.action_std

    def adapted(self, observations: Observation, actions: Array) -> Array:
        """Return the memory, (tasks, numbers), with which it acts on tasks of which examples are given.

        Args:
            observations: by entry, (tasks, n, …).
            actions: the expert's, native, (tasks, n, outputs).
        """
        with torch.no_grad():
            own = {name: value.detach() for name, value in self.named_parameters()}
            weights = self.adapt(own, self.scaled(observations), self.scaled_actions(actions))
            return torch.cat([weights[name].flatten(1) for name in self.shapes], 1).cpu().numpy()

    def start_from(self, memory: Array) -> None:
        """Take the weights of one task's memory, (1, numbers), as its own."""
        with torch.no_grad():
            for name, value in self.weights_of(torch.as_tensor(memory)).items():
                self.network.get_parameter(name).copy_(value[0])

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return native actions (n, outputs) within their range, by the memory's weights; and the memory."""
        with torch.inference_mode():
            rows = self.scaled(observation)
            if memory is None:
                found = self.network(rows)
            else:
                found = self.predict(self.weights_of(torch.as_tensor(memory).to(rows)), rows[:, None])[:, 0]
            native = (found * self.action_std + self.action_mean).clamp(self.low, self.high)
            return native.cpu().numpy(), memory

    def weights_of(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the perceptron's weights by name, (n, …), of which rows (n, numbers) are made."""
        parts = rows.split([math.prod(shape) for shape in self.shapes.values()], 1)
        return {name: part.unflatten(1, shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """Return the shapes of the perceptron's weights, by name."""
        return {name: value.shape for name, value in self.network.named_parameters()}

    def _build(self) -> None:
        p = self.params
        layers: list[nn.Module] = [nn.Linear(p.inputs, p.width), nn.ReLU()]
        for _ in range(p.layers - 1):
            layers += [nn.Linear(p.width, p.width), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.Linear(p.width, p.outputs))
        self._add_ranges()
        for name, width in (("observation", p.inputs), ("action", p.outputs)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_std", torch.ones(width))

"""Policies that are adapted to labeled examples of a task: what they make of the examples is a perceptron's weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from studio.contracts import Observation
from studio.experiment import setting
from studio.meta.examples import Examples
from studio.meta.hidden_context import CONTEXT_KEYS
from studio.rl.networks.observations import flatten
from studio.rl.networks.policy import FlatPolicy, MLPParams

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray
Weights = Mapping[str, Tensor]  # of the perceptron, or all of a policy's parameters, by name
LEAST_STD = 1e-4  # what hardly varies is not scaled up
SIDE = 16  # px


class SupportPerceptron(FlatPolicy):
    """A perceptron with hidden layers of rectifiers whose weights an adaptation replaces, in each task by others.

    The adapted weights are its memory, (n, numbers), so that every row may be of another task; without a memory it acts
    by weights of its own. It never reads the context. A subclass says in :meth:`adapt` how weights come from examples.
    Observations and actions are scaled to mean 0 and a standard deviation over the training's examples, which is 1 for
    actions; an image is read as ``SIDE`` × ``SIDE`` gray values, all scaled alike. Of discrete choices it gives logits.
    """

    reads_support = True
    infers_task = True
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
        input_scale: float = setting(
            1.0,
            "Input scale",
            "Standard deviation that observations are scaled to. With larger inputs one gradient step of a single rate "
            "acts more in the first layer, which is where learned rates put it on sinusoids.",
            gt=0,
            le=1000,
            since=2,
        )
        choices: int = setting(
            0, "Choices", "Number of discrete choices; 0: continuous actions.", ge=0, le=10_000, derived=True
        )

    def fit_to(self, world: World, seed: int) -> None:
        """Build the networks for a world's observations and actions; the same seed gives the same weights."""
        inputs = flat_observation(world.observe(slice(1)), self.params.ignored).shape[1]
        self.make(seed, inputs=inputs, outputs=world.choices or len(world.control.low), choices=world.choices)
        if not world.choices:
            self.set_ranges(world.control.low, world.control.high)

    def fit_scales(self, examples: Examples) -> None:
        """Take means and standard deviations of examples' observations, and of their actions but for choices."""
        rows = {"observation": flat_observation(examples.observations, self.params.ignored)}
        if not self.params.choices:
            rows["action"] = torch.as_tensor(examples.actions)
        for name, found in rows.items():
            every = found.flatten(0, -2).double()
            if name == "observation" and "image" in examples.observations:
                every = every.flatten()[:, None]  # at the margin a pixel hardly varies
            mean, std = every.mean(0), every.std(0)
            self.get_buffer(f"{name}_mean").copy_(mean)
            self.get_buffer(f"{name}_std").copy_(torch.where(std > LEAST_STD, std, 1.0))

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
        """Return the loss on each task's query after adaptation to its support, and its error in the actions' own
        terms: the MSE in native units, or the share of wrong choices; (tasks,) each.

        Args:
            support: scaled observations and actions, (tasks, n, width) each; ``query``: the same.
        """
        predicted = self.predict_adapted(parameters, support, query[0])
        losses, found = self.losses(predicted, query[1]).mean(1), predicted.detach()
        if self.params.choices:
            return losses, (found.argmax(-1) != query[1].argmax(-1)).float().mean(1)
        return losses, ((found - query[1]) * self.action_std).square().mean((1, 2))

    def predict_adapted(self, parameters: Weights, support: tuple[Tensor, Tensor], observations: Tensor) -> Tensor:
        """Return scaled actions, (tasks, n, outputs), for scaled observations after adaptation to each task."""
        return self.predict(self.adapt(parameters, *support), observations)

    def losses(self, predicted: Tensor, actions: Tensor) -> Tensor:
        """Return the squared error or the cross-entropy of each prediction, (…,), for scaled actions (…, outputs)."""
        if self.params.choices:
            return -(actions * predicted.log_softmax(-1)).sum(-1)
        return (predicted - actions).square().mean(-1)

    def predict(self, weights: Weights, observations: Tensor) -> Tensor:
        """Return scaled actions, (tasks, n, outputs), of each task's weights for scaled observations."""
        found: Tensor = torch.vmap(lambda own, rows: functional_call(self.network, own, (rows,)))(
            dict(weights), observations
        )
        return found

    def scaled(self, observation: Any) -> Tensor:
        """Return an observation as the perceptron reads it, (…, inputs), on the policy's device."""
        rows = flat_observation(observation, self.params.ignored).to(self.device)
        return (rows - self.observation_mean) / self.observation_std * self.params.input_scale

    def scaled_actions(self, actions: Array) -> Tensor:
        """Return native actions, scaled, (…, outputs); of choices a row with a 1 in the place of the chosen one."""
        rows = torch.as_tensor(actions, dtype=torch.float32, device=self.device)
        if self.params.choices:
            return one_hot(rows[..., 0].long(), self.params.choices).float()
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
        """Return native actions (n, outputs) within their range, or choices (n, 1), by the memory's weights; and the
        memory."""
        with torch.inference_mode():
            rows = self.scaled(observation)
            if memory is None:
                found = self.network(rows)
            else:
                found = self.predict(self.weights_of(torch.as_tensor(memory).to(rows)), rows[:, None])[:, 0]
            if self.params.choices:
                return found.argmax(-1, keepdim=True).float().cpu().numpy(), memory
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


def flat_observation(observation: Any, ignored: Sequence[str]) -> Tensor:
    """Return an observation's entries side by side, (…, width) float32; of an image (…, h, w, 3) its gray values."""
    if not isinstance(observation, Mapping) or "image" not in observation:
        return torch.as_tensor(flatten(observation, ignored), dtype=torch.float32)
    image = torch.as_tensor(observation["image"])
    gray = image.flatten(0, -4).float().mean(-1) / 255
    return adaptive_avg_pool2d(gray[:, None], SIDE).reshape(*image.shape[:-3], SIDE * SIDE)

"""An actor and its critic, with their normalization of observations and actions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import RENAMED_ENTRIES, Outputs
from studio.errors import ExperimentError
from studio.experiment import Settings, setting
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.networks.distributions import ActionDistribution, Categorical, Normal, gumbel, normal_entropy

Array = np.ndarray


def flatten(observation: Any, ignored: Collection[str] = ()) -> Array:
    """Return an observation as one array (n, width): an array as it is, a dictionary's entries in alphabetic order,
    without those that are ignored.

    Raises:
        ValueError: it holds images.
    """
    if not isinstance(observation, Mapping):
        return np.asarray(observation)
    if "image" in observation:
        raise ValueError("this policy observes states, not images")
    return np.concatenate([np.asarray(observation[key]) for key in entry_names(observation, ignored)], -1)


def entry_names(observation: Mapping[str, Any], ignored: Collection[str] = ()) -> list[str]:
    """Return the names of a dictionary's entries in alphabetic order, without those that are ignored under their
    present name or the one that they had when the policy was saved."""
    left_out = {RENAMED_ENTRIES.get(name, name) for name in ignored}
    return sorted(name for name in observation if name not in left_out)


class MLPParams(Settings):
    """Size of the networks of a policy on flattened observations, and which entries it ignores."""

    width: int = setting(256, "Width", "Width of the hidden layers.", ge=4, le=4096)
    layers: int = setting(2, "Layers", "Number of hidden layers.", ge=1, le=8)
    inputs: int = setting(
        0, "Inputs", "Width of the observation; 0: as the task has it.", ge=0, le=100_000, derived=True
    )
    outputs: int = setting(0, "Outputs", "Width of the action; 0: as the task has it.", ge=0, le=10_000, derived=True)
    ignored: list[str] = setting(
        [], "Ignored", "Observation entries that the policy does not receive, such as the goal."
    )


class ReinforcementPolicy(BasePolicy):
    """Base of the policies for reinforcement learning: blank until a world's sizes are known.

    A subclass's ``fit`` passes the sizes to :meth:`make`; its ``_build`` creates the networks that ``params`` describe.
    """

    id: ClassVar[str]
    is_cloned = False
    sizes: ClassVar[tuple[str, ...]] = ("inputs", "outputs")  # fields of ``Params`` that are 0 while it is blank
    low: Tensor
    high: Tensor

    class Params(Settings):
        """Size of the networks."""

    def __init__(self, params: Any = None, observation: str = "state") -> None:
        super().__init__()
        self.params: Any = params or self.Params()
        self.observation = observation
        self.fingerprint = Fingerprint()
        if all(getattr(self.params, size) for size in self.sizes):
            self._build()

    def set_ranges(self, low: Array, high: Array) -> None:
        """Take the range of continuous actions, (width,) each."""
        self.low.copy_(torch.as_tensor(low))
        self.high.copy_(torch.as_tensor(high))

    def make(self, seed: int, **sizes: int) -> None:
        """Build the networks for a world's sizes; the same seed gives the same weights."""
        self.params = self.params.model_copy(update=sizes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build()

    def bind(self, *domain: Any, **settings: Any) -> None:
        """Raise ExperimentError: behavior cloning needs another network."""
        raise ExperimentError(
            f"'{self.id}' cannot be trained by behavior cloning.", "policy.id", "Choose token_transformer."
        )

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load a state as a module does; a state saved without the scale of rewards leaves it reset."""
        fresh = {name: value for name, value in self.state_dict().items() if name.startswith("rewards.")}
        return super().load_state_dict({**fresh, **state}, strict, assign)

    def _build(self) -> None:
        raise NotImplementedError

    def _add_ranges(self) -> None:
        """Add buffers for the range of continuous actions; [−1, 1] until :meth:`fit`."""
        self.register_buffer("low", -torch.ones(self.params.outputs))
        self.register_buffer("high", torch.ones(self.params.outputs))

    def outputs(self, rows: Tensor) -> Outputs:
        """Return the last hidden layer, and means or Q-values, (n, …) each, for the network's inputs (n, width)."""
        raise NotImplementedError

    def _inputs(self, observation: Any) -> Tensor:
        """Return the network's input for an observation, (n, inputs) float32 on the policy's device."""
        rows = flatten(observation, self.params.ignored)
        return torch.as_tensor(rows, dtype=torch.float32, device=self.low.device)


class FlatPolicy(ReinforcementPolicy):
    """Base of the policies on flattened observations."""

    class Params(MLPParams):
        """Size of the networks."""

    def fit_to(self, world: Any, seed: int) -> None:
        """Build the networks for a world's observations and actions; the same seed gives the same weights."""
        self.fit(self._width(world), world.control.low, world.control.high, seed)

    def _width(self, world: Any) -> int:
        """Return the width of a world's observations, without the entries that are ignored."""
        return int(flatten(world.observe([0]), self.params.ignored).shape[1])


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

    def fit_to(self, world: Any, seed: int) -> None:
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


def network(widths: list[int], gain: float) -> nn.Sequential:
    """Return a tanh network with orthogonal weights; ``gain`` is the last layer's."""
    layers: list[nn.Module] = []
    for i, (n, m) in enumerate(pairwise(widths)):
        layer = nn.Linear(n, m)
        nn.init.orthogonal_(layer.weight, gain if i == len(widths) - 2 else math.sqrt(2))
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def unwrapped(layers: nn.Sequential) -> Callable[[Tensor], Tensor]:
    """Return a :func:`network` as a plain function, with the same result bit for bit.

    For a few rows the overhead of calling modules exceeds that of the matrix products. Not for gradients. Weights that
    change in place change here too.
    """
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    *hidden, (last, bias) = [(layer.weight.detach().t(), layer.bias.detach()) for layer in linear]

    def run(rows: Tensor) -> Tensor:
        for weight, shift in hidden:
            rows = torch.addmm(shift, rows, weight).tanh_()
        return torch.addmm(bias, rows, last)

    return run

"""Double deep Q-learning, readable from top to bottom (Mnih et al. 2015; van Hasselt et al. 2016, arXiv:1509.06461).

The whole update, the target network's included, is one function of a few flat vectors, which can be compiled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value
from torch.nn import functional

from studio.experiment import setting
from studio.rl.algorithms.off_policy import Batch, OffPolicyParams
from studio.rl.algorithms.stepwise import StepwiseLearner
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.flat import Adam, FlatParameters
from studio.rl.networks.q_policy import QPolicy
from studio.sim.world import World

UNITS = {
    "return": "", "episode_length": "steps", "samples": "steps", "steps_per_second": "steps/s", "epsilon": "",
    "diverged": "simulations", "updates": "steps", "q": "",
}  # fmt: skip
DIAGNOSTICS = ("loss", "q")


class DQNParams(OffPolicyParams):
    """Optimization and collection."""

    learning_rate: float = setting(1e-3, "Learning rate", "Adam learning rate.", gt=0, le=1)
    simulations: int = setting(16, "Simulations", "Number of parallel simulations.", "simulations", ge=1, le=65_536)
    update_ratio: float = setting(0.25, "Update ratio", "Gradient updates per environment step.", gt=0, le=100)
    batch_size: int = setting(128, "Batch size", "Transitions per update.", "transitions", ge=2, le=1_000_000)
    gamma: float = setting(0.98, "γ", "Discount factor per step.", ge=0, le=1)
    tau: float = setting(
        0.01, "τ", "Polyak coefficient of the target network's update; 1 copies the network.", gt=0, le=1
    )
    target_every: int = setting(
        1, "Target update every", "Gradient updates between updates of the target network.", "updates", ge=1, le=10**6
    )
    double: bool = setting(
        True, "Double", "Double DQN: the network selects the next action, the target network evaluates it."
    )
    epsilon_start: float = setting(1.0, "Initial ε", "Probability of a random action at the start.", ge=0, le=1)
    epsilon_end: float = setting(0.1, "Final ε", "Probability of a random action at the end.", ge=0, le=1)
    epsilon_steps: int = setting(
        10_000, "ε decay", "Environment steps over which ε falls to its final value.", "steps", ge=1, le=100_000_000
    )


class DQNUpdate:
    """One gradient update of double DQN and all tensors that it changes. The policy's parameters change in place.

    Args:
        bounds: least and greatest possible return; targets are clipped to them (Andrychowicz et al. 2017, appendix A).
    """

    def __init__(
        self,
        policy: QPolicy,
        settings: DQNParams,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        auxiliary: AuxiliaryLosses | None = None,
    ) -> None:
        self.policy, self.settings, self.bounds, self.auxiliary = policy, settings, bounds, auxiliary
        self.flat = FlatParameters(policy)
        self.target = self.flat.vector.clone()
        self.adam = Adam(self.target)

    @property
    def changing(self) -> list[Tensor]:
        """Return every tensor that a step changes."""
        return [self.flat.vector, self.target, *self.adam.tensors]

    def step(self, batch: Batch) -> Tensor:
        """Make one update; return the ``DIAGNOSTICS`` in order.

        Args:
            batch: ``observations``, ``next_observations`` (n, width); ``actions`` (n, 1), their indices; ``rewards``
                and ``discounts`` (n, 1), γ or 0 where the episode terminated.
        """
        settings = self.settings
        targets = self.targets(batch)

        def loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            values = self._q(vector, batch["observations"]).gather(1, batch["actions"].long())
            # Huber's loss clips the gradient of the error, as Mnih et al. do
            return functional.smooth_l1_loss(values, targets), values.mean()

        gradient, (value, q) = grad_and_value(loss, has_aux=True)(self.flat.vector)
        if self.auxiliary is not None:
            observations = batch["observations"]
            gradient = gradient + self.auxiliary.gradient(
                self.policy.outputs(observations), observations, batch["actions"]
            )
        self.adam.step(self.flat.vector, gradient, settings.learning_rate)
        share = torch.where(self.adam.updates % settings.target_every == 0, settings.tau, 0.0)
        self.target.add_(share * (self.flat.vector - self.target))
        return torch.stack([value, q])

    def targets(self, batch: Batch) -> Tensor:
        """Return r + γ Q⁻(s′, argmax Q(s′, ·)), (n, 1); without ``double`` r + γ max Q⁻(s′, ·)."""
        values = self._q(self.target, batch["next_observations"])
        selector = self._q(self.flat.vector, batch["next_observations"]) if self.settings.double else values
        best = values.gather(1, selector.argmax(1, keepdim=True))
        return (batch["rewards"] + batch["discounts"] * best).clamp(*self.bounds)

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {f"{i:02d}": tensor.clone() for i, tensor in enumerate(self.changing)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for i, tensor in enumerate(self.changing):
            tensor.copy_(state[f"{i:02d}"])

    def _q(self, vector: Tensor, observations: Tensor) -> Tensor:
        values: Tensor = functional_call(self.policy, self.flat.unflatten(vector), (observations,), strict=False)
        return values


class DQN(StepwiseLearner):
    """Train a policy by double deep Q-learning in a world with discrete control; see
    :class:`studio.rl.algorithms.stepwise.StepwiseLearner`.

    Args:
        bounds: see :class:`DQNUpdate`.
    """

    units = UNITS
    diagnostics = DIAGNOSTICS
    action_width = 1
    relabels_jointly = True
    policy: QPolicy
    settings: DQNParams
    update: DQNUpdate

    def __init__(
        self,
        policy: QPolicy,
        world: World,
        settings: DQNParams,
        *,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        **more: Any,
    ) -> None:
        super().__init__(policy, world, settings, **more)
        self.update = DQNUpdate(policy, settings, bounds, self.auxiliary)

    @property
    def epsilon(self) -> float:
        """Return the present probability of a random action."""
        s, steps = self.settings, self.samples - self.settings.learning_starts
        if steps < 0:
            return 1.0
        return s.epsilon_start + (s.epsilon_end - s.epsilon_start) * min(1.0, steps / s.epsilon_steps)

    def choose(self, observations: Tensor) -> Tensor:
        """Return indices of actions (env, 1), float32: greedy, or random with probability ε."""
        draws = {"generator": self.generator, "device": self.device}
        greedy = self.policy(observations).argmax(1, keepdim=True)
        random = torch.randint(self.policy.params.outputs, greedy.shape, **draws)
        return torch.where(torch.rand(greedy.shape, **draws) < self.epsilon, random, greedy).float()

    def native(self, actions: Tensor) -> Tensor:
        """Return the indices: a world with discrete control takes them as they are."""
        return actions

    def progress_values(self) -> dict[str, float]:
        return {"epsilon": self.epsilon} | super().progress_values()

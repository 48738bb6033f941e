"""Soft actor-critic, readable from top to bottom (Haarnoja et al. 2018, arXiv:1812.05905).

Hyper-parameters and the order of the updates are the usual ones (critics, actor, temperature, targets), so returns
compare with other implementations'. For speed, all four are one function of a few flat vectors, compiled as a whole,
with both critics in one product.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from studio.experiment import setting
from studio.rl.algorithms.off_policy import Batch, OffPolicyParams
from studio.rl.algorithms.stepwise import StepwiseLearner
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.flat import Adam, FlatParameters
from studio.rl.networks.squashed import SquashedActorCritic, squash
from studio.sim.world import World

UNITS = {
    "return": "", "episode_length": "steps", "samples": "steps", "steps_per_second": "steps/s", "entropy": "nats",
    "diverged": "simulations", "updates": "steps", "alpha": "",
}  # fmt: skip
EMULATED_BF16 = "This processor emulates bf16, which is many times slower than fp32. Choose fp32."
DIAGNOSTICS = ("critic_loss", "actor_loss", "alpha", "entropy", "q")


class SACParams(OffPolicyParams):
    """Optimization and collection."""

    alpha: float = setting(1.0, "α", "Initial temperature: the weight of entropy against reward.", gt=0, le=100)
    fixed_alpha: bool = setting(False, "Fixed α", "Keeps the temperature fixed instead of learning it.")
    target_entropy: float | None = setting(
        None,
        "Target entropy",
        "Entropy that the learned temperature aims at; if empty, −1 per action dimension.",
        "nats",
    )
    precision: Literal["fp32", "bf16"] = setting(
        "fp32",
        "Precision",
        "Precision of matrix products; bf16 is faster on processors that support it and much slower elsewhere.",
    )
    random_start: ClassVar[bool] = True  # until learning starts, actions are uniform instead of the policy's


def has_bf16(device: torch.device) -> bool:
    """Return whether the processor multiplies bf16 matrices natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(has for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


class SACNetworks:
    """Actor, critics, target critics and temperature with their optimizers: all that an update of SAC changes. The
    policy's parameters change in place."""

    def __init__(self, policy: SquashedActorCritic, settings: SACParams) -> None:
        self.policy, self.settings = policy, settings
        self.precision = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        self.actor, self.critics = FlatParameters(policy.actor), FlatParameters(policy.critics)
        self.target = self.critics.vector.clone()
        self.log_alpha = torch.tensor(settings.alpha, device=policy.device).log()
        chosen = settings.target_entropy
        self.target_entropy = float(-policy.params.outputs if chosen is None else chosen)
        self.actor_adam, self.critics_adam = Adam(self.actor.vector), Adam(self.critics.vector)
        self.alpha_adam = Adam(self.log_alpha)

    @property
    def vectors(self) -> list[Tensor]:
        """Return the parameters, those of the target critics and log α, in the order of saved states."""
        return [self.actor.vector, self.critics.vector, self.target, self.log_alpha]

    @property
    def adams(self) -> list[Adam]:
        """Return the state of each optimizer, in the order of saved states."""
        return [self.actor_adam, self.critics_adam, self.alpha_adam]

    @property
    def changing(self) -> list[Tensor]:
        """Return every tensor that a step changes."""
        count, *counts = (adam.updates for adam in self.adams)
        moments = [moment for adam in self.adams for moment in (adam.first, adam.second)]
        return [*self.vectors, count, *moments, *counts]  # in the order of saved states; earlier ones had one count

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {f"{i:02d}": tensor.clone() for i, tensor in enumerate(self.changing)}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restore what :meth:`state_dict` returned."""
        count = state[f"{len(self.vectors):02d}"]  # the first of the counts: in earlier versions the only one
        for i, tensor in enumerate(self.changing):
            tensor.copy_(state.get(f"{i:02d}", count))

    def draw(self, vector: Tensor, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions in [−1, 1] (n, width) and log densities (n,) of an actor with these parameters.

        Args:
            observations: what the actor reads, (n, inputs).
            noise: standard normal, (n, width).
        """
        parameters = functional_call(self.policy.actor, self.actor.unflatten(vector), (observations, self.precision))
        return squash(parameters[0], noise)

    def q(self, vector: Tensor, observations: Tensor, actions: Tensor) -> Tensor:
        """Return the Q-values, (2, n), of actions in [−1, 1], by critics with these parameters."""
        rows = torch.cat([observations, actions], -1)
        values = functional_call(self.policy.critics, self.critics.unflatten(vector), (rows, self.precision))
        return values.squeeze(-1)


class SACUpdate(SACNetworks):
    """One gradient update of SAC."""

    def __init__(
        self, policy: SquashedActorCritic, settings: SACParams, auxiliary: AuxiliaryLosses | None = None
    ) -> None:
        super().__init__(policy, settings)
        self.auxiliary = auxiliary

    def step(self, batch: Batch, noise: Tensor) -> Tensor:
        """Make one update; return the ``DIAGNOSTICS`` in order.

        Args:
            batch: ``observations``, ``actions`` in [−1, 1], ``next_observations`` (n, width each); ``rewards`` and
                ``discounts`` (n, 1), γ or 0 where the episode terminated.
            noise: standard normal, (2, n, width of an action): for the next state's action and the present state's.
        """
        rewards, discounts = batch["rewards"].squeeze(-1), batch["discounts"].squeeze(-1)
        observations, next_observations = batch["observations"], batch["next_observations"]
        alpha, rate = self.log_alpha.exp(), self.settings.learning_rate

        next_actions, next_density = self.draw(self.actor.vector, next_observations, noise[0])
        next_q = self.q(self.target, next_observations, next_actions).amin(0)
        targets = rewards + discounts * (next_q - alpha * next_density)  # equation 3

        def critic_loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            values = self.q(vector, observations, batch["actions"])
            return 0.5 * (values - targets).square().mean(1).sum(), values.mean()  # equation 5, of both critics

        gradient, (critic, q) = grad_and_value(critic_loss, has_aux=True)(self.critics.vector)

        def actor_loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            actions, density = self.draw(vector, observations, noise[1])
            values = self.q(self.critics.vector, observations, actions).amin(0)
            return (alpha * density - values).mean(), density.mean()  # equation 7

        self.critics_adam.step(self.critics.vector, gradient, rate)
        gradient, (actor, density) = grad_and_value(actor_loss, has_aux=True)(self.actor.vector)
        if self.auxiliary is not None:
            gradient = gradient + self.auxiliary.gradient(
                self.policy.outputs(observations), observations, batch["actions"]
            )
        self.actor_adam.step(self.actor.vector, gradient, rate)
        if not self.settings.fixed_alpha:  # equation 18, for the logarithm of α
            self.alpha_adam.step(self.log_alpha, -(density + self.target_entropy), rate)
        self.target.lerp_(self.critics.vector, self.settings.tau)
        return torch.stack([critic, actor, alpha, -density, q])


class SAC(StepwiseLearner):
    """Train a policy by soft actor-critic; see :class:`studio.rl.algorithms.stepwise.StepwiseLearner`."""

    units = UNITS
    diagnostics = DIAGNOSTICS
    policy: SquashedActorCritic
    settings: SACParams
    update: SACUpdate

    def __init__(self, policy: SquashedActorCritic, world: World, settings: SACParams, **more: Any) -> None:
        self.action_width = policy.params.outputs
        super().__init__(policy, world, settings, **more)
        if settings.precision == "bf16" and not has_bf16(self.device):
            self.log(EMULATED_BF16)
        self.update = SACUpdate(policy, settings, self.auxiliary)

    def featured_network(self) -> nn.Module:
        """Return the actor."""
        return self.policy.actor

    def choose(self, observations: Tensor) -> Tensor:
        """Return actions (env, width) in [−1, 1]: uniform until learning starts, unless the policy was trained before,
        then drawn from the policy."""
        shape = (len(observations), self.action_width)
        if self.settings.random_start and self.samples < self.settings.learning_starts:
            return torch.rand(shape, generator=self.generator, device=self.device) * 2 - 1
        noise = torch.randn(shape, generator=self.generator, device=self.device)
        return self.policy.draw(observations, noise)[0]

    def native(self, actions: Tensor) -> Tensor:
        """Return actions in the world's own ranges."""
        return self.policy.native(actions)

    def update_arguments(self, count: int) -> list[tuple[Tensor, ...]]:
        """Return the noise of each update, (2, batch, width)."""
        shape = (count, 2, self.settings.batch_size, self.action_width)
        return [(part,) for part in torch.randn(shape, generator=self.generator, device=self.device)]

"""Proximal policy optimization, readable from top to bottom (Schulman et al. 2017, arXiv:1707.06347).

Hyper-parameters, initialization and normalization are the usual ones (Huang et al., "The 37 implementation details of
proximal policy optimization", 2022), so returns compare with other implementations'. For speed, gradient, clipping and
Adam are one function of one parameter vector, compiled as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value

from studio.contracts import AuxiliaryLoss
from studio.rl.algorithms.on_policy import OnPolicyLearner
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.collectors.rollouts import Rollout, RolloutCollector
from studio.rl.compiling import compile_update
from studio.rl.flat import Adam, FlatParameters, clipped
from studio.rl.networks.distributions import ActionDistribution
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.world import World

EAGER_ITERATIONS = 1  # before compiling, so that the first metrics appear at once; fixed, for reproducibility
EPSILON = 1e-5  # Adam's
MATRICES = ("observations", "actions", "critic_obs", "contexts")  # columns of a rollout with several numbers per sample
UNITS = {
    "return": "", "episode_length": "steps", "samples": "steps", "steps_per_second": "steps/s", "entropy": "nats",
    "kl": "nats", "diverged": "simulations",
}  # fmt: skip
DIAGNOSTICS = ("loss", "policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "gradient_norm")


def ppo_loss(
    distribution: ActionDistribution,
    values: Tensor,
    batch: dict[str, Tensor],
    settings: PPOParams,
    entropy_share: Tensor | float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return the loss of a minibatch, (), and the ``DIAGNOSTICS`` in order, without the gradient's norm.

    Args:
        entropy_share: of the entropy's weight that the settings have.
    """
    log_ratio = distribution.log_prob(batch["actions"]) - batch["log_probs"]
    ratio = log_ratio.exp()
    advantages = (batch["advantages"] - batch["advantages"].mean()) / (batch["advantages"].std() + 1e-8)
    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    policy_loss = -torch.minimum(advantages * ratio, advantages * clipped).mean()
    value_loss = (values - batch["returns"]).square().mean()
    spread = distribution.entropy()
    loss = policy_loss + settings.value_weight * value_loss - entropy_share * settings.entropy_weight * spread
    kl = (ratio - 1 - log_ratio).mean()  # Schulman's low-variance estimate, http://joschu.net/blog/kl-approx.html
    clip_fraction = ((ratio - 1).abs() > settings.clip).float().mean()
    return loss, torch.stack([loss, policy_loss, value_loss, spread, kl, clip_fraction]).detach()


class PPO(OnPolicyLearner[Rollout]):
    """Trains a policy in a world. The policy's parameters change in place.

    Args:
        iterations: number of rollouts, over which the learning rate is annealed if ``anneal`` is set.
        log: receives sentences for the run's log.
        auxiliary: losses on the actor's features beside PPO's own. With them the update is always eager.
    """

    units = UNITS
    diagnostics = DIAGNOSTICS

    def __init__(
        self,
        policy: GaussianActorCritic,
        world: World,
        settings: PPOParams,
        *,
        iterations: int,
        seed: int,
        log: Callable[[str], None] = lambda text: None,
        collector: Callable[..., RolloutCollector] = RolloutCollector,
        auxiliary: Sequence[AuxiliaryLoss] = (),
    ) -> None:
        self.policy, self.settings, self.iterations, self.log = policy, settings, iterations, log
        self.iteration = 0
        device = policy.device
        self.generator = torch.Generator(device).manual_seed(seed)
        s = settings
        self.rollouts = collector(world, policy, s.steps, s.gamma, s.gae_lambda, seed, self.generator)
        self.flat = FlatParameters(policy)
        self.adam = Adam(self.flat.vector)
        self.rate = torch.zeros((), device=device)
        self._changing = (self.flat.vector, *self.adam.tensors)
        self._widths = {"observations": policy.params.inputs, "actions": policy.params.outputs}
        self._widths |= {"log_probs": 1, "advantages": 1, "returns": 1}
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self.auxiliary = AuxiliaryLosses(auxiliary, policy, s.learning_rate) if auxiliary else None

    def prepare(self, share: float) -> Callable[..., Tensor]:
        self.rate.fill_(self.settings.learning_rate * share)
        return self._step_function()

    @property
    def learning_rate(self) -> float:
        return self.rate.item()

    def learn(self, rollout: Rollout, step: Callable[..., Tensor]) -> Tensor:
        found = rollout.columns()
        columns = [found[name] for name in self._widths]
        packed = torch.cat([c if c.ndim == 2 else c[:, None] for c in columns], 1)
        diagnostics = []
        for _ in range(self.settings.epochs):
            order = torch.randperm(len(packed), generator=self.generator, device=packed.device)
            for minibatch in packed[order].split(self.settings.minibatch):
                if len(minibatch) == self.settings.minibatch:
                    diagnostics.append(step(minibatch))
                elif len(minibatch) > 1:  # the last, smaller one; advantages of a single sample cannot be normalized
                    diagnostics.append(self.step(minibatch))
        return torch.stack(diagnostics).mean(0)

    def step(self, packed: Tensor) -> Tensor:
        """Make a gradient step on a minibatch (n, columns), in place; return the diagnostics."""
        parts = dict(zip(self._widths, packed.split(list(self._widths.values()), 1), strict=True))
        batch = {name: part if name in MATRICES else part.squeeze(-1) for name, part in parts.items()}

        def loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            return self.loss(self.flat.unflatten(vector), batch)

        gradient, (_, diagnostics) = grad_and_value(loss, has_aux=True)(self.flat.vector)
        if self.auxiliary is not None:
            outputs = self.policy.outputs(batch["observations"])
            gradient = gradient + self.auxiliary.gradient(outputs, batch["observations"], batch["actions"])
        return torch.cat([diagnostics, self.apply_gradient(gradient)[None]])

    def loss(self, parameters: dict[str, Tensor], batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the loss of a minibatch under these parameters of the policy, (), and its diagnostics."""
        distribution, values = functional_call(self.policy, parameters, (batch["observations"],), strict=False)
        return ppo_loss(distribution, values, batch, self.settings)

    def apply_gradient(self, gradient: Tensor) -> Tensor:
        """Clip a gradient and make a step of Adam, in place; return the gradient's norm before clipping, ()."""
        gradient, norm = clipped(gradient, self.settings.max_gradient_norm)
        self.adam.step(self.flat.vector, gradient, self.rate, EPSILON)
        return norm

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the policy's parameters and statistics included."""
        return {
            "iteration": self.iteration,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            **self.adam.state_dict(),
            "generator": self.generator.get_state(),
            "rollouts": self.rollouts.state_dict(),
            **({} if self.auxiliary is None else {"auxiliary": self.auxiliary.state_dict()}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.iteration = int(state["iteration"])
        self.policy.load_state_dict(state["policy"])
        self.adam.load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())
        self.rollouts.load_state_dict(state["rollouts"])
        if self.auxiliary is not None:
            self.auxiliary.load_state_dict(state["auxiliary"])

    def _step_function(self) -> Callable[..., Tensor]:
        """Return the gradient step: eager at first, then compiled if the settings ask for it."""
        if self.settings.update == "eager" or self.auxiliary is not None or self.iteration < EAGER_ITERATIONS:
            return self.step
        if self._compiled is None:
            example = torch.zeros(self.settings.minibatch, sum(self._widths.values()), device=self.rate.device)
            self._compiled = compile_update(self.step, (example,), self._changing, self.log)
        return self._compiled

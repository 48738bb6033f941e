"""PPO for a recurrent policy.

A minibatch is the whole rollout of some simulations, unrolled from the hidden state at its start; the hidden state is
cleared where an episode starts (Huang et al. 2022, "The 37 implementation details of proximal policy optimization",
section on LSTMs). The update of a GRU or an LSTM is always eager: torch's own loops are faster than a compiled unrolled
network. Fast weights, which unroll without a loop, are compiled as PPO's policies are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value

from studio.rl.algorithms.ppo import EAGER_ITERATIONS, MATRICES, PPO, ppo_loss
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.collectors.recurrent_rollouts import RecurrentRollout, RecurrentRollouts
from studio.rl.collectors.rollouts import Rollout
from studio.rl.compiling import compile_update
from studio.rl.networks.distributions import ActionDistribution
from studio.rl.networks.recurrent import RecurrentActorCritic
from studio.sim.world import World


class RecurrentPPO(PPO):
    """PPO whose minibatches are the rollouts of whole simulations, about ``settings.minibatch`` samples. Eager for a
    policy whose unrolling is not compiled.

    Args:
        anneal_entropy: the weight of the entropy decays linearly to 0 over the iterations.
    """

    policy: RecurrentActorCritic
    rollouts: RecurrentRollouts

    def __init__(
        self,
        policy: RecurrentActorCritic,
        world: World,
        settings: PPOParams,
        *,
        anneal_entropy: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(policy, world, settings, collector=RecurrentRollouts, **more)
        if policy.params.context:
            self._widths |= {"contexts": policy.params.context}
        self.anneal_entropy = anneal_entropy
        self.entropy_share = torch.ones_like(self.rate)  # of the entropy's weight that is left
        self._sequences = min(world.num_envs, max(1, settings.minibatch // settings.steps))  # in a minibatch

    def prepare(self, share: float) -> Callable[..., Tensor]:
        if self.anneal_entropy:
            self.entropy_share.fill_(1 - self.iteration / self.iterations)
        return super().prepare(share)

    def learn(self, rollout: Rollout, step: Callable[..., Tensor]) -> Tensor:
        """Train for the epochs of a rollout; return the mean diagnostics."""
        assert isinstance(rollout, RecurrentRollout)  # what its collector returns
        time, n = rollout.fresh.shape
        found = rollout.columns()
        columns = {name: found[name].unflatten(0, (time, n)) for name in self._widths}
        device, diagnostics = rollout.memory.device, []
        fresh = rollout.fresh.to(device if self.policy.can_compile_unroll else "cpu")
        for _ in range(self.settings.epochs):
            order = torch.randperm(n, generator=self.generator, device=device)
            for chosen in order.split(self._sequences):
                if time * len(chosen) > 1:  # the advantages of a single sample cannot be normalized
                    batch = {name: column[:, chosen] for name, column in columns.items()}
                    update = step if len(chosen) == self._sequences else self.sequence_step  # the last may be smaller
                    diagnostics.append(update(batch, rollout.memory[chosen], fresh[:, chosen.to(fresh.device)]))
        return torch.stack(diagnostics).mean(0)

    def sequence_step(self, batch: dict[str, Tensor], memory: Tensor, fresh: Tensor) -> Tensor:
        """Make a gradient step on a minibatch of (time, env, …) columns, in place; return the diagnostics."""
        gradient, diagnostics = self.gradient(batch, memory, fresh)
        if self.auxiliary is not None:
            observations, actions = batch["observations"], batch["actions"].flatten(0, 1)
            outputs = self.policy.outputs(self.policy.unrolled(observations, memory, fresh).flatten(0, 1))
            gradient = gradient + self.auxiliary.gradient(outputs, observations.flatten(0, 1), actions)
        return torch.cat([diagnostics, self.apply_gradient(gradient)[None]])

    def gradient(self, batch: dict[str, Tensor], memory: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient of the loss by backpropagation through time, (parameters,), and the diagnostics."""
        rows = {name: column.flatten(0, 1) for name, column in batch.items()}
        inputs = batch["observations"], memory, fresh, batch.get("contexts")

        def loss(distribution: ActionDistribution, values: Tensor) -> tuple[Tensor, Tensor]:
            return ppo_loss(distribution.flattened(), values.flatten(), rows, self.settings, self.entropy_share)

        if not self.policy.can_compile_unroll:  # torch.func would take torch's recurrent loops apart
            value, diagnostics = loss(*self.policy(*inputs))
            parts = torch.autograd.grad(value, self.flat.parameters)
            return torch.cat([part.flatten() for part in parts]), diagnostics

        def loss_of(vector: Tensor) -> tuple[Tensor, Tensor]:
            return loss(*functional_call(self.policy, self.flat.unflatten(vector), inputs, strict=False))

        gradient, (_, diagnostics) = grad_and_value(loss_of, has_aux=True)(self.flat.vector)
        return gradient, diagnostics

    def _step_function(self) -> Callable[..., Tensor]:
        """Return the gradient step, compiled as PPO's is where the policy can be."""
        eager = self.settings.update == "eager" or self.auxiliary is not None or self.iteration < EAGER_ITERATIONS
        if eager or not self.policy.can_compile_unroll:
            return self.sequence_step
        if self._compiled is None:
            shape, device = (self.settings.steps, self._sequences), self.rate.device
            batch = {
                name: torch.zeros(*shape, *((width,) if name in MATRICES else ()), device=device)
                for name, width in self._widths.items()
            }
            memory = torch.zeros(self._sequences, self.policy.memory_width, device=device)
            example = (batch, memory, torch.zeros(shape, dtype=torch.bool, device=device))
            self._compiled = compile_update(self.sequence_step, example, self._changing, self.log)
        return self._compiled

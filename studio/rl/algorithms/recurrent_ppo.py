"""PPO for a recurrent policy: actor and critic read the hidden state of a GRU or an LSTM.

A minibatch is the whole rollout of some simulations, unrolled from the hidden state at its start; the hidden state is
cleared where an episode starts (Huang et al. 2022, "The 37 implementation details of proximal policy optimization",
section on LSTMs). The update of a GRU or an LSTM is always eager: torch's own loops are faster than a compiled unrolled
network. A policy that unrolls without a loop is compiled as PPO's is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from studio.experiment import setting
from studio.nn.gru import unrolled_gru
from studio.rl.algorithms.ppo import EAGER_ITERATIONS, MATRICES, PPO, PPOParams, ppo_loss
from studio.rl.collectors.rollouts import Rollout, RolloutCollector
from studio.rl.compiling import compile_update
from studio.rl.networks.distributions import ActionDistribution, Categorical
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.world import World

Array = np.ndarray


class RecurrentActorCritic(GaussianActorCritic):
    """As :class:`GaussianActorCritic`, but actor and critic read the hidden state of a recurrent cell over an episode's
    normalized observations, the present one included: a GRU (Cho et al. 2014, arXiv:1406.1078) or an LSTM (Hochreiter
    and Schmidhuber 1997), whose memory is the hidden state and the cell's state side by side."""

    id = "gaussian_gru"
    title = "Gaussian GRU"
    summary = "Recurrent actor-critic (GRU) for partially observable tasks; trained by reinforcement learning."
    reference = "Cho et al. 2014 (arXiv:1406.1078); Heess et al. 2015 (arXiv:1512.04455)"
    algorithm = "recurrent_ppo"
    is_recurrent = True
    has_parallel_unroll: ClassVar[bool] = False  # whether :meth:`unrolled` has no loop over the steps

    class Params(GaussianActorCritic.Params):
        """Size of the memory and the networks."""

        hidden: int = setting(64, "Memory", "Width of the hidden state.", ge=4, le=4096)
        layers: int = setting(1, "Layers", "Hidden layers between the memory and the action.", ge=0, le=8)
        cell: Literal["gru", "lstm"] = setting(
            "gru",
            "Cell",
            "What updates the memory; on a CPU an lstm trains about twice as fast where sequences are few.",
            since=2,
        )

    params: Params

    def _build(self) -> None:
        super()._build()
        kind = nn.LSTMCell if self.params.cell == "lstm" else nn.GRUCell
        self.core = kind(self.params.inputs, self.params.hidden)
        for weight in (self.core.weight_ih, self.core.weight_hh):
            nn.init.orthogonal_(weight)
        for bias in (self.core.bias_ih, self.core.bias_hh):
            nn.init.zeros_(bias)

    @property
    def input_width(self) -> int:
        """Return the width of the actor's and critic's input."""
        return self.params.hidden

    @property
    def memory_width(self) -> int:
        """Return the width of the memory, of which zeros are a new one."""
        return self.params.hidden * (2 if self.params.cell == "lstm" else 1)

    def remember(self, normalized: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return what actor and critic read, (n, input_width), and the new memory, (n, memory_width).

        Args:
            normalized: an observation, (n, inputs).
            memory: before it, (n, memory_width).
        """
        if self.params.cell == "lstm":
            hidden, cell = self.core(normalized, memory.chunk(2, -1))
            return hidden, torch.cat([hidden, cell], -1)
        hidden = self.core(normalized, memory)
        return hidden, hidden

    def forward(  # type: ignore[override]  # it takes sequences, where a policy without memory takes rows
        self, normalized: Tensor, memory: Tensor, fresh: Tensor
    ) -> tuple[ActionDistribution, Tensor]:
        """Return the distributions of the actions and the values, (time, env); see :meth:`unrolled`."""
        hidden = self.unrolled(normalized, memory, fresh)
        return self.distribution(self.actor(hidden)), self.critic(hidden).squeeze(-1)

    def unrolled(self, normalized: Tensor, memory: Tensor, fresh: Tensor) -> Tensor:
        """Return what actor and critic read after each observation, (time, env, input_width).

        Args:
            normalized: observations, (time, env, inputs).
            memory: before the first of them, (env, memory_width).
            fresh: (time, env) bool, on the CPU: where the memory is cleared, as an episode or a trial starts.
        """
        core, parts = self.core, []
        weights = [core.weight_ih, core.weight_hh, core.bias_ih, core.bias_hh]
        starts = torch.nonzero(fresh[1:].any(1)).flatten() + 1
        for start, end in pairwise([0, *starts.tolist(), len(normalized)]):
            memory = memory.masked_fill(fresh[start].to(memory.device)[:, None], 0.0)
            # input, hidden state, weights, biases, layers, dropout, training (without it cuDNN gives no gradient),
            # bidirectional, batch first
            if self.params.cell == "lstm":
                states = [state.contiguous()[None] for state in memory.chunk(2, -1)]
                part, *lasts = torch.lstm(normalized[start:end], states, weights, True, 1, 0.0, True, False, False)
                memory = torch.cat([last[0] for last in lasts], -1)
            elif torch.is_grad_enabled() and normalized.device.type == "cpu":
                part = unrolled_gru(normalized[start:end], memory, core)
                memory = part[-1]
            else:
                part, last = torch.gru(normalized[start:end], memory[None], weights, True, 1, 0.0, True, False, False)
                memory = last[0]
            parts.append(part)
        return torch.cat(parts)

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the means as native actions (n, outputs) within their range, or the likeliest choices (n, 1), and the
        memory, (n, memory_width) float32."""
        with torch.inference_mode():
            features, after = self._remembered(observation, memory)
            return self._native_mode(self.actor(features)), after.cpu().numpy()

    def value(self, observation: Any, memory: Any = None) -> Array:
        """Return the critic's V, (n,), in the scale of the normalized rewards, for an observation and the memory before
        it."""
        with torch.inference_mode():
            return self.critic(self._remembered(observation, memory)[0]).squeeze(-1).cpu().numpy()

    def entropy(self, observation: Any, memory: Any = None) -> Array:
        """Return the entropy of the exploring action distribution, (n,), nats."""
        if not self.params.choices:
            return super().entropy(observation)
        with torch.inference_mode():
            outputs = self.actor(self._remembered(observation, memory)[0])
            return Categorical(outputs).entropies().cpu().numpy()

    def _remembered(self, observation: Any, memory: Any) -> tuple[Tensor, Tensor]:
        normalized = self._normalized(observation)
        if memory is None:
            memory = normalized.new_zeros(len(normalized), self.memory_width)
        return self.remember(normalized, torch.as_tensor(memory, dtype=torch.float32, device=normalized.device))


@dataclass
class RecurrentRollout(Rollout):
    """A rollout with the memory before it, (env, memory_width), and where it is cleared, (time, env) bool."""

    memory: Tensor
    fresh: Tensor


class RecurrentRollouts(RolloutCollector):
    """Collects with a memory that lasts for a trial (Duan et al. 2016, RL², arXiv:1611.02779).

    Within a trial the task's context is held, and returns continue into the next episode. A rollout whose length is a
    multiple of a trial's longest consists of whole trials, as far as no episode ends early: simulations then start
    together, and the network is unrolled over long sequences.

    Args:
        trial: number of episodes of a trial.
    """

    policy: RecurrentActorCritic

    def __init__(self, *given: Any, trial: int = 1, **named: Any) -> None:
        self.trial = trial
        super().__init__(*given, **named)
        self._memory = torch.zeros(self.world.num_envs, self.policy.memory_width, device=self.device)
        self._episode = np.zeros(self.world.num_envs, int)  # index within the trial
        self._hold_contexts()

    @property
    def staggered(self) -> bool:
        """Return whether simulations start at different times of an episode."""
        return self.length % (self.trial * self.world.task.horizon) != 0

    @torch.no_grad()
    def collect(self) -> RecurrentRollout:
        """Return the next ``length`` steps of every simulation."""
        before = self._memory
        self._memories: list[Tensor] = []  # after each step
        self._fresh = torch.zeros(self.length, len(before), dtype=torch.bool)
        return RecurrentRollout(**vars(super().collect()), memory=before, fresh=self._fresh)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next rollout depends on but the policy and the generator."""
        own = {"memory": self._memory.clone(), "episode": torch.from_numpy(self._episode.copy())}
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._memory, self._episode = state["memory"].to(self.device), state["episode"].cpu().numpy().copy()
        self._hold_contexts()

    def _features(self, normalized: Tensor) -> Tensor:
        features, self._memory = self.policy.remember(normalized, self._memory)
        self._memories.append(self._memory)
        return features

    def _next_features(self, normalized: Tensor, after: Tensor | None) -> Tensor:
        memory = self._memories[-1] if after is None else torch.stack(self._memories)[after]
        return self.policy.remember(normalized, memory)[0]

    def _ends(self, t: int, terminated: Array, truncated: Array) -> tuple[Array, Array]:
        """Return where trials end, and clear the memory there."""
        ended = terminated | truncated
        self._episode[ended] += 1
        over = ended & (self._episode >= self.trial)
        self._episode[over] = 0
        self._hold_contexts()
        if over.any():
            fresh = torch.from_numpy(over)
            self._memory = self._memory.masked_fill(fresh.to(self.device)[:, None], 0.0)
            if t + 1 < self.length:
                self._fresh[t + 1] = fresh
        return terminated & over, truncated & over

    def _hold_contexts(self) -> None:
        """Make the world keep the context of every simulation whose trial continues after its present episode."""
        self.world.keeps_context[:] = self._episode + 1 < self.trial


class RecurrentPPO(PPO):
    """PPO whose minibatches are the rollouts of whole simulations, about ``settings.minibatch`` samples. Eager for a
    policy that does not unroll at once.

    Args:
        trial: number of episodes that memory and returns extend over.
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
        trial: int = 1,
        anneal_entropy: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(policy, world, settings, collector=partial(RecurrentRollouts, trial=trial), **more)
        self.anneal_entropy = anneal_entropy
        self.entropy_share = torch.ones_like(self.rate)  # of the entropy's weight that is left
        self._sequences = min(world.num_envs, max(1, settings.minibatch // settings.steps))  # in a minibatch

    def prepare(self, share: float) -> Callable[..., Tensor]:
        if self.anneal_entropy:
            self.entropy_share.fill_(1 - self.iteration / self.iterations)
        return super().prepare(share)

    def learn(self, rollout: RecurrentRollout, step: Callable[..., Tensor]) -> Tensor:
        """Train for the epochs of a rollout; return the mean diagnostics."""
        time, n = rollout.fresh.shape
        columns = {name: getattr(rollout, name).unflatten(0, (time, n)) for name in self._widths}
        device, diagnostics = rollout.memory.device, []
        fresh = rollout.fresh.to(device if self.policy.has_parallel_unroll else "cpu")
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
        inputs = batch["observations"], memory, fresh

        def loss(distribution: ActionDistribution, values: Tensor) -> tuple[Tensor, Tensor]:
            return ppo_loss(distribution.flattened(), values.flatten(), rows, self.settings, self.entropy_share)

        if not self.policy.has_parallel_unroll:  # torch.func would take torch's recurrent loops apart
            value, diagnostics = loss(*self.policy(*inputs))
            parts = torch.autograd.grad(value, self.flat.parameters)
            return torch.cat([part.flatten() for part in parts]), diagnostics

        def loss_of(vector: Tensor) -> tuple[Tensor, Tensor]:
            return loss(*functional_call(self.policy, self.flat.unflatten(vector), inputs, strict=False))

        gradient, (_, diagnostics) = grad_and_value(loss_of, has_aux=True)(self.flat.vector)
        return gradient, diagnostics

    def _step_function(self) -> Callable[..., Tensor]:
        """Return the gradient step, compiled as PPO's is where the policy unrolls at once."""
        eager = self.settings.update == "eager" or self.auxiliary is not None or self.iteration < EAGER_ITERATIONS
        if eager or not self.policy.has_parallel_unroll:
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

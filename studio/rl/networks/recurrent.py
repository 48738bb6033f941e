"""An actor and its critic that remember: both read the hidden state of a GRU or an LSTM."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import Problem, ResolvedDomain
from studio.experiment import setting
from studio.nn.gru import unrolled_gru
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.networks.distributions import ActionDistribution, Categorical
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.mlp import network

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class RecurrentActorCritic(GaussianActorCritic):
    """As :class:`GaussianActorCritic`, but actor and critic read the hidden state of a recurrent cell over an episode's
    normalized observations, the present one included: a GRU (Cho et al. 2014, arXiv:1406.1078) or an LSTM (Hochreiter
    and Schmidhuber 1997), whose memory is the hidden state and the cell's state side by side.

    In training the critic may read the context ω of the task as well, which the simulation knows and the policy has to
    find out: V(h, ω), whose policy gradient is unbiased (Baisero and Amato 2022, "Unbiased asymmetric reinforcement
    learning under partial observability", arXiv:2105.11674). Advantages then no longer depend on luck with the task.
    """

    id = "gaussian_gru"
    title = "Gaussian GRU"
    summary = "Recurrent actor-critic (GRU) for partially observable tasks; trained by reinforcement learning."
    reference = "Cho et al. 2014 (arXiv:1406.1078); Heess et al. 2015 (arXiv:1512.04455)"
    algorithm = "recurrent_ppo"
    is_recurrent = True
    can_compile_unroll: ClassVar[bool] = False  # whether the update may be compiled, :meth:`unrolled` included

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
        critic: Literal["memory", "memory_and_task"] = setting(
            "memory",
            "Critic",
            "What the critic reads: the memory, or in training also the context of the task, even where the policy "
            "does not observe it. Advantages are then less noisy.",
            since=2,
        )
        context: int = setting(
            0, "Context", "Width of the context that the critic reads.", ge=0, le=10_000, derived=True, since=2
        )

    params: Params
    actor: nn.Module  # from what is remembered to the parameters of the action's distribution

    @classmethod
    def check(cls, params: Any, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        if params.critic == "memory":
            return []
        tasks = {field: domain.task for field, domain in domains.items()}
        field, remedy = "policy.params.critic", "Choose memory."
        for task in tasks.values():
            if not task.context:
                words = f"Every episode of '{task.id}' is the same task: it has no context that the critic could read."
                return [Problem(field, words, remedy)]
        if len({len(task.context) for task in tasks.values()}) == 1:
            return []
        widths = " and ".join(f"{len(task.context)} in the {name}" for name, task in tasks.items())
        return [Problem(field, f"The critic reads one number of values of a context: there are {widths}.", remedy)]

    def fit_to(self, world: World, seed: int) -> None:
        width = world.contexts.shape[1] if self.params.critic == "memory_and_task" else 0
        self.params = self.params.model_copy(update={"context": width})
        super().fit_to(world, seed)

    def _build(self) -> None:
        super()._build()
        if self.params.context:
            widths = [self.input_width + self.params.context, *[self.params.width] * self.params.layers, 1]
            self.critic = network(widths, 1.0)
            self.contexts = RunningMeanStd(self.params.context)
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
        self, normalized: Tensor, memory: Tensor, fresh: Tensor, context: Tensor | None = None
    ) -> tuple[ActionDistribution, Tensor]:
        """Return the distributions of the actions and the values, (time, env); see :meth:`unrolled` and
        :meth:`critic_inputs`."""
        hidden = self.unrolled(normalized, memory, fresh)
        values = self.critic(self.critic_inputs(hidden, context))
        return self.distribution(self.actor(hidden)), values.squeeze(-1)

    def critic_inputs(self, features: Tensor, context: Tensor | None) -> Tensor:
        """Return what the critic reads: the features, (…, input_width), and if it reads the task the normalized
        context, (…, context); None: the average task's."""
        if not self.params.context:
            return features
        if context is None:
            context = features.new_zeros(*features.shape[:-1], self.params.context)
        return torch.cat([features, context], -1)

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
        it; that of the average task if it reads the task."""
        with torch.inference_mode():
            features = self._remembered(observation, memory)[0]
            return self.critic(self.critic_inputs(features, None)).squeeze(-1).cpu().numpy()

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

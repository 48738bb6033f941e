"""An actor and its critic that remember: both read the hidden state of a GRU or an LSTM."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.experiment import setting
from studio.nn.gru import unrolled_gru
from studio.rl.networks.distributions import ActionDistribution, Categorical
from studio.rl.networks.gaussian import GaussianActorCritic

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

    params: Params
    actor: nn.Module  # from what is remembered to the parameters of the action's distribution

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

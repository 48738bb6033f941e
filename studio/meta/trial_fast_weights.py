"""A recurrent policy for trials whose memory is a matrix of fast weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.experiment import setting
from studio.meta.trial_policy import CellFreeActorCritic
from studio.rl.networks.mlp import network


class TrialFastWeights(CellFreeActorCritic):
    """As :class:`TrialActorCritic`, but the memory is a matrix M, (keys, values + 1), to which every step adds an outer
    product (Schlag, Irie and Schmidhuber 2021, "Linear transformers are secretly fast weight programmers",
    arXiv:2102.11174: the sum update rule, with softmax for the addresses)::

        k = softmax(W_k [x_t, x_{t-1}]),  v = MLP([x_t, x_{t-1}]),  q = softmax(W_q x_t)
        M ← M + k ⊗ [v, 1],               (s, c) = q M

    A key that was learned for one state serves every trial, so the memory can soon count what each action gave in each
    state, where a GRU has to learn gates for every entry. Actor and critic read asinh(s), so that ratios of counts are
    differences, the shrunk mean s / (c + 1), log(1 + c) and x_t. A rollout of T steps is masked linear attention, whose
    scores are (T, T), without a loop over its steps.
    """

    id = "trial_fast_weights"
    title = "Trial fast weights"
    summary = "Recurrent actor-critic with a fast-weight memory (linear attention); for RL²."
    reference = "Schlag, Irie and Schmidhuber 2021 (arXiv:2102.11174)"
    can_compile_unroll = True

    class Params(CellFreeActorCritic.Params):
        """Size of the memory and the networks."""

        keys: int = setting(16, "Keys", "Rows of the memory, which queries and keys weigh.", ge=1, le=1024)
        hidden: int = setting(24, "Values", "Numbers that the memory keeps in each row.", ge=1, le=1024)

    params: Params

    def _build(self) -> None:
        super()._build()
        p = self.params
        self.query, self.key = nn.Linear(p.inputs, p.keys), nn.Linear(2 * p.inputs, p.keys)
        for layer in (self.query, self.key):
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.written = network([2 * p.inputs, p.width, p.hidden], 1.0)

    @property
    def input_width(self) -> int:
        """Return the width of the actor's and critic's input."""
        return 2 * self.params.hidden + 1 + self.params.inputs

    @property
    def memory_width(self) -> int:
        """Return the width of the memory: the matrix, then the observation before."""
        return self.params.keys * (self.params.hidden + 1) + self.params.inputs

    def remember(self, normalized: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        matrix, before = self._split_memory(memory)
        query, key, value = self._query_key_value(normalized, before)
        matrix = torch.addcmul(matrix, key[:, :, None], value[:, None])
        read = (query[:, :, None] * matrix).sum(1)
        return self._features(read, normalized), torch.cat([matrix.flatten(1), normalized], 1)

    def unrolled(self, normalized: Tensor, memory: Tensor, fresh: Tensor) -> Tensor:
        """Return what actor and critic read, (time, env, input_width): at once, as attention to earlier steps of the
        same trial whose scores are products of addresses."""
        matrix, before = self._split_memory(memory)
        starts = fresh.to(normalized.device)
        earlier = torch.cat([before[None], normalized[:-1]]).masked_fill(starts[..., None], 0.0)
        query, key, value = (part.transpose(0, 1) for part in self._query_key_value(normalized, earlier))
        trial = starts.long().cumsum(0).t()  # (env, time): 0 is the one that the memory is of
        visible = (trial[:, :, None] == trial[:, None]).tril()
        scores = torch.bmm(query, key.transpose(1, 2)) * visible
        read = torch.bmm(scores, value)
        read = torch.baddbmm(read, query * (trial == 0)[..., None], matrix)
        return self._features(read.transpose(0, 1), normalized)

    def _split_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the matrix, (n, keys, hidden + 1), and the observation before, (n, inputs)."""
        matrix, before = memory.split([memory.shape[1] - self.params.inputs, self.params.inputs], 1)
        return matrix.unflatten(1, (self.params.keys, self.params.hidden + 1)), before

    def _query_key_value(self, normalized: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the query and the key, (…, keys) each, and the value, (…, hidden + 1)."""
        both = torch.cat([normalized, before], -1)
        value = functional.pad(self.written(both), (0, 1), value=1.0)
        return self.query(normalized).softmax(-1), self.key(both).softmax(-1), value

    def _features(self, read: Tensor, normalized: Tensor) -> Tensor:
        """Return what actor and critic read, (…, input_width), of what the memory gave, (…, hidden + 1)."""
        total, number = read[..., :-1], read[..., -1:]
        return torch.cat([total.asinh(), total / (number + 1), torch.log1p(number), normalized], -1)

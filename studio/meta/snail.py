"""SNAIL: temporal convolutions and causal attention over the steps of a trial, in place of a recurrent network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.experiment import setting
from studio.meta.trial_policy import CellFreeActorCritic

if TYPE_CHECKING:
    from studio.sim.world import World


class SnailActorCritic(CellFreeActorCritic):
    """As :class:`TrialActorCritic`, but actor and critic read the network of Mishra et al. 2018 (arXiv:1707.03141,
    section 3) over all steps of the trial so far. Its memory is these steps' observations and their number."""

    id = "trial_snail"
    title = "Trial SNAIL"
    summary = "Actor-critic that attends to all earlier steps of a trial; for SNAIL."
    reference = "Mishra et al. 2018 (arXiv:1707.03141), sections 3 and 5.2"

    class Params(CellFreeActorCritic.Params):
        """Size of the network."""

        filters: int = setting(16, "Filters", "Filters of each temporal convolution.", ge=1, le=1024)
        length: int = setting(
            0, "Trial length", "Steps of a trial; 0: as the strategy has it.", "steps", ge=0, le=10_000, derived=True
        )

    params: Params
    sizes = (*CellFreeActorCritic.sizes, "length")

    def fit_to(self, world: World, seed: int) -> None:
        episodes = 1 if world.trials is None else world.trials.k
        self.params = self.params.model_copy(update={"length": episodes * world.task.horizon})
        super().fit_to(world, seed)

    def _build(self) -> None:
        self.network = Snail(self.params.inputs, self.params.hidden, self.params.filters, self.params.length)
        super()._build()

    @property
    def input_width(self) -> int:
        """Return the width of the actor's and critic's input."""
        return self.network.width

    @property
    def memory_width(self) -> int:
        """Return the width of the memory: a trial's observations, and how many there have been."""
        return self.params.length * self.params.inputs + 1

    def remember(self, normalized: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        steps, count = self._unpacked(memory)
        rows = torch.arange(len(steps), device=steps.device)
        steps = steps.index_put((rows, count), normalized)
        longest = int(count.max()) + 1
        features = self.network(steps[:, :longest])[rows, count]
        return features, torch.cat([steps.flatten(1), (count + 1).to(steps)[:, None]], 1)

    def unrolled(self, normalized: Tensor, memory: Tensor, fresh: Tensor) -> Tensor:
        """Return what actor and critic read, (time, env, input_width): every trial of a simulation is a sequence of its
        own, the first with the steps in its memory before it."""
        (time, envs), device = normalized.shape[:2], normalized.device
        before, count = self._unpacked(memory)
        starts = fresh.to(device)
        trial = starts.long().cumsum(0)  # (time, env)
        trials = int(trial.max()) + 1
        steps = torch.arange(time, device=device)[:, None].expand(time, envs)
        first = torch.where(starts, steps, 0).cummax(0).values
        place = steps - first + torch.where(trial == 0, count, 0)
        row = trial * envs + torch.arange(envs, device=device)
        sequences = normalized.new_zeros(trials * envs, self.params.length, self.params.inputs)
        sequences[:envs] = before
        sequences = sequences.index_put((row, place), normalized)
        found: Tensor = self.network(sequences[:, : int(place.max()) + 1])[row, place]
        return found

    def _unpacked(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the steps of a memory, (n, length, inputs), and how many there are, (n,) long; a full one loses its
        last step, so that a trial that is longer than it was trained for can be played."""
        count = memory[:, -1].long().clamp(max=self.params.length - 1)
        return memory[:, :-1].unflatten(1, (self.params.length, self.params.inputs)), count


class Snail(nn.Module):
    """Two pairs of temporal convolutions and attention, behind an embedding. (n, time, inputs) → (n, time, width).

    Args:
        length: the longest sequence; the convolutions' dilations reach that far.
    """

    def __init__(self, inputs: int, hidden: int, filters: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(inputs, hidden)
        width, parts = hidden, []
        for _ in range(2):
            for power in range(max(1, math.ceil(math.log2(length)))):
                parts.append(DenseBlock(width, filters, 2**power))
                width += filters
            parts.append(CausalAttention(width, hidden, hidden))
            width += hidden
        self.parts, self.width = nn.Sequential(*parts), width

    def forward(self, steps: Tensor) -> Tensor:
        found: Tensor = self.parts(functional.relu(self.embedding(steps)))
        return found


class DenseBlock(nn.Module):
    """A gated causal convolution of two steps, ``dilation`` apart, beside its input (the paper's algorithm 1)."""

    def __init__(self, width: int, filters: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.present, self.earlier = nn.Linear(width, 2 * filters), nn.Linear(width, 2 * filters, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.cat([self.present.weight, self.earlier.weight])
        present, earlier = functional.linear(x, weight).chunk(2, -1)
        shifted = functional.pad(earlier[:, : -self.dilation], (0, 0, min(self.dilation, x.shape[1]), 0))
        value, gate = (present + shifted + self.present.bias).chunk(2, -1)
        return torch.cat([x, torch.tanh(value) * torch.sigmoid(gate)], -1)


class CausalAttention(nn.Module):
    """Attention of one head to the present and all earlier steps, beside its input (the paper's algorithm 3)."""

    def __init__(self, width: int, keys: int, values: int) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Linear(width, keys), nn.Linear(width, keys), nn.Linear(width, values)

    def forward(self, x: Tensor) -> Tensor:
        parts = (self.query, self.key, self.value)
        weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        query, key, value = functional.linear(x, weight, bias)[:, None].split([len(part.bias) for part in parts], -1)
        read = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return torch.cat([x, read[:, 0]], -1)

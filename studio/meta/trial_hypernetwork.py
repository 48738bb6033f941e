"""A recurrent policy for trials whose memory generates the weights of the network that acts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from studio.contracts import Outputs
from studio.experiment import setting
from studio.meta.trial_policy import TrialActorCritic
from studio.rl.networks.mlp import network


class TrialHyperActorCritic(TrialActorCritic):
    """As :class:`TrialActorCritic`, but the memory's hidden state is no input of the actor: a hypernetwork makes the
    actor's weights of it, and the actor reads the present observation. The critic reads both."""

    id = "trial_hypernetwork"
    title = "Trial GRU, hypernetwork head"
    summary = "Recurrent actor-critic whose memory generates the weights of a small acting network; for RL²."
    reference = "Beck et al. 2023 (arXiv:2309.14970)"

    class Params(TrialActorCritic.Params):
        """Size of the memory and the networks."""

        base_width: int = setting(
            32, "Base width", "Width of the two hidden layers whose weights are generated.", ge=4, le=256
        )

    params: Params

    def _build(self) -> None:
        super()._build()
        p = self.params
        widths = [p.inputs, p.base_width, p.base_width, p.choices or p.outputs]
        self.actor = GeneratedMLP(p.hidden, widths)

    @property
    def input_width(self) -> int:
        """Return the width of what actor and critic read: the hidden state, then the observation."""
        return self.params.hidden + self.params.inputs

    def remember(self, normalized: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        hidden, after = super().remember(normalized, memory)
        return torch.cat([hidden, normalized], -1), after

    def unrolled(self, normalized: Tensor, memory: Tensor, fresh: Tensor) -> Tensor:
        return torch.cat([super().unrolled(normalized, memory, fresh), normalized], -1)

    def collecting_actor(self) -> Callable[[Tensor], Tensor]:
        return self.actor

    def outputs(self, rows: Tensor) -> Outputs:
        """Return the hidden state as the features, and what the actor makes of it."""
        return Outputs(rows[..., : self.params.hidden], self.actor(rows))


class GeneratedMLP(nn.Module):
    """A tanh network of widths ``widths``, whose weights and biases are a linear function of a hidden state.

    At first they are the same for every hidden state, those of an orthogonally initialized network ("bias-HyperInit" of
    Beck et al. 2022, arXiv:2210.11348, section 4).
    """

    def __init__(self, hidden: int, widths: list[int]) -> None:
        super().__init__()
        self.hidden, self.shapes = hidden, [(m, n) for n, m in pairwise(widths)]
        layers = [layer for layer in network(widths, 0.01) if isinstance(layer, nn.Linear)]
        start = torch.cat([part.detach().flatten() for layer in layers for part in (layer.weight, layer.bias)])
        self.generator = nn.Linear(hidden, len(start))
        with torch.no_grad():
            self.generator.weight.zero_()
            self.generator.bias.copy_(start)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the outputs, (…, widths[-1]), for hidden states and inputs side by side, (…, hidden + widths[0])."""
        hidden, x = rows[..., : self.hidden], rows[..., self.hidden :]
        made, place = self.generator(hidden), 0
        for i, (m, n) in enumerate(self.shapes):
            weight = made[..., place : place + m * n].unflatten(-1, (m, n))
            bias = made[..., place + m * n : place + m * n + m]
            place += m * n + m
            x = (weight @ x[..., None])[..., 0] + bias
            x = x if i == len(self.shapes) - 1 else torch.tanh(x)
        return x

"""A policy whose weights a recurrent network gives, which has read a task's examples one by one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from studio.experiment import setting
from studio.meta.support_perceptron import SupportPerceptron, Weights

SMALL = 0.01  # standard deviation of the first weights from the memory to the perceptron's


class HypernetworkPolicy(SupportPerceptron):
    """A GRU reads the pairs of observation and action; a linear map of its last state is added to the perceptron's own
    weights, which are those before any example.

    Sources: Ha, Dai and Le 2016, arXiv:1609.09106; a recurrent network as the learner: Hochreiter, Younger and Conwell
    2001, "Learning to learn using gradient descent".
    """

    id = "hypernetwork_gru"
    title = "Hypernetwork"
    summary = "Recurrent network that reads examples of a task and gives the weights of a perceptron on the state."
    reference = "Ha, Dai and Le 2016, arXiv:1609.09106"

    class Params(SupportPerceptron.Params):
        """Size of the perceptron and of the memory."""

        hidden: int = setting(128, "Memory", "Width of the GRU's hidden state.", ge=4, le=4096)

    params: Params

    def adapt(self, parameters: Weights, observations: Tensor, actions: Tensor) -> dict[str, Tensor]:
        pairs, memory = torch.cat([observations, actions], 2), observations.new_zeros(len(actions), self.params.hidden)
        core = {name: parameters[f"core.{name}"] for name, _ in self.core.named_parameters()}
        for pair in pairs.unbind(1):
            memory = functional_call(self.core, core, (pair, memory))
        own = {name: parameters[f"network.{name}"] for name in self.shapes}
        changes = self.weights_of(memory @ parameters["to_weights"])
        return {name: own[name] + changes[name] for name in own}

    def _build(self) -> None:
        super()._build()
        p = self.params
        self.core = nn.GRUCell(p.inputs + p.outputs, p.hidden)
        self.to_weights = nn.Parameter(
            SMALL * torch.randn(p.hidden, sum(shape.numel() for shape in self.shapes.values()))
        )

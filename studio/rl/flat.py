"""All trainable parameters of a module as one vector, so that a step of Adam is a few operations for all layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

BETA1, BETA2 = 0.9, 0.999


class FlatParameters:
    """Moves a module's parameters into one vector, of which they become views: changing it changes the module.

    Frozen parameters (``requires_grad`` is False) stay as they are.
    """

    def __init__(self, module: nn.Module) -> None:
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.names, self.parameters = list(named), list(named.values())
        self.shapes = [p.shape for p in named.values()]
        self.sizes = [p.numel() for p in named.values()]
        self.vector = torch.cat([p.detach().reshape(-1) for p in named.values()]).clone()
        for name, view in self.unflatten(self.vector).items():
            named[name].data = view

    def unflatten(self, vector: Tensor) -> dict[str, Tensor]:
        """Return views of a vector under the parameters' names. Differentiable."""
        parts = vector.split(self.sizes)
        return {n: part.view(shape) for n, part, shape in zip(self.names, parts, self.shapes, strict=True)}


def clipped(gradient: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Return a gradient scaled to a norm of at most ``limit``, and its norm before, ()."""
    norm = gradient.norm()
    return gradient * clipping(norm, limit), norm


def clipping(norm: Tensor, limit: float) -> Tensor:
    """Return what a gradient of this norm is multiplied by to have one of at most ``limit``, ()."""
    return (limit / (norm + 1e-6)).clamp(max=1.0)


def adam(
    vector: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    count: Tensor,
    rate: Tensor | float,
    epsilon: float = 1e-8,
    beta2: float = BETA2,
) -> None:
    """Make one step of Adam in place (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1), without synchronizing a GPU.

    Args:
        first, second: moments of the gradient, shaped as ``vector``; 0 before the first step.
        count: the number of this step, (): 1 for the first.
        beta2: decay of the second moment.
    """
    first.lerp_(gradient, 1 - BETA1)
    second.mul_(beta2).add_((1 - beta2) * gradient.square())
    denominator = (second / (1 - beta2**count)).sqrt() + epsilon
    vector.sub_(rate / (1 - BETA1**count) * first / denominator)


class Adam:
    """Adam on one vector of parameters, with the state that training continues from.

    Attributes:
        first, second: moments of the gradient, shaped as the vector.
        updates: how many steps were made, ().
    """

    def __init__(self, vector: Tensor) -> None:
        self.first, self.second = torch.zeros_like(vector), torch.zeros_like(vector)
        self.updates = torch.zeros((), device=vector.device)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a step changes beside the vector."""
        return self.first, self.second, self.updates

    def step(self, vector: Tensor, gradient: Tensor, rate: Tensor | float, epsilon: float = 1e-8) -> None:
        """Make one step of the vector, in place."""
        self.updates.add_(1)
        adam(vector, gradient, self.first, self.second, self.updates, rate, epsilon)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the moments and of the count."""
        return {"first": self.first.clone(), "second": self.second.clone(), "updates": self.updates.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned; other entries are left alone."""
        for mine, kept in zip(self.tensors, (state["first"], state["second"], state["updates"]), strict=True):
            mine.copy_(kept)

"""The inner loop of gradient-based meta-learning: some steps of gradient descent on a task's support set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

SPEED = 10  # rates are learned so many times as fast as weights, on whose scale their logarithms hardly move
S = TypeVar("S")  # a support set: a tensor, or dicts, lists and tuples of them
Parameters = Mapping[str, Tensor]


def adapt(
    parameters: Parameters,
    loss: Callable[[Parameters, S], Tensor],
    support: S,
    steps: int,
    rate: float | Mapping[str, Tensor],
    first_order: bool = False,
) -> dict[str, Tensor]:
    """Return the parameters after gradient descent on a support set; those given stay as they are.

    The result is differentiable with respect to ``parameters`` and ``rate``. Under ``torch.vmap`` over ``support``
    every task has adapted parameters of its own. Source: Finn et al. 2017 (MAML), arXiv:1703.03400, algorithm 1; a rate
    for each parameter and step: Antoniou et al. 2019 (MAML++), arXiv:1810.09502, section 4.

    Args:
        loss: of parameters on a support set, (). It must use the parameters that it is given
            (``torch.func.functional_call``).
        steps: gradient steps, at least 1.
        rate: of all parameters; or for each one, by its name, the rates of the steps: (steps,), or (steps, *shape) with
            one of every number.
        first_order: treat the inner gradients as constants, which saves the second derivatives.

    Raises:
        ValueError: there is no step.
    """
    if steps < 1:
        raise ValueError(f"an inner loop of {steps} steps adapts nothing")
    gradient = torch.func.grad(loss)
    current = dict(parameters)
    for step in range(steps):
        gradients = gradient(current, support)
        if first_order:
            gradients = {name: value.detach() for name, value in gradients.items()}
        for name, value in current.items():
            current[name] = value - (rate if isinstance(rate, float) else rate[name][step]) * gradients[name]
    return current


def scaled_log_rates(shapes: Iterable[torch.Size], steps: int, rate: float, learned: bool) -> nn.ParameterList:
    """Return what the rates of an inner loop are learned as, (steps, *shape) for each shape; see :func:`rate_of`.

    Args:
        shapes: of the rates of a step: a parameter's own, or that of a scalar for one rate of all its numbers.
        rate: what all rates start from.
        learned: whether the outer loop trains them.
    """
    start = math.log(rate) / SPEED
    return nn.ParameterList(nn.Parameter(torch.full((steps, *shape), start), requires_grad=learned) for shape in shapes)


def rate_of(scaled_log: Tensor) -> Tensor:
    """Return the rates that one of :func:`scaled_log_rates` stands for, of the same shape."""
    return (SPEED * scaled_log).exp()

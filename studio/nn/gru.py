"""A GRU over sequences on a CPU, with a backward pass of its own: where sequences are few, calling an operation costs
more than computing it, and this calls fewer than torch does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


def unrolled_gru(x: Tensor, hidden: Tensor, core: torch.nn.GRUCell) -> Tensor:
    """Return the hidden states after each step, (time, n, width), as ``torch.gru`` does; differentiable once.

    Args:
        x: inputs, (time, n, inputs).
        hidden: before the first of them, (n, width).
    """
    states: Tensor = _Steps.apply(linear(x, core.weight_ih, core.bias_ih), hidden, core.weight_hh, core.bias_hh)
    return states


class _Steps(torch.autograd.Function):
    """The recurrence, given what the inputs add to each gate, (time, n, 3 · width): reset r, update z, new n."""

    @staticmethod
    def forward(ctx: Any, added: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        (time, n), width = added.shape[:2], hidden.shape[1]
        states = added.new_empty(time + 1, n, width)
        states[0] = hidden
        gates, new, hidden_new = (added.new_empty(time, n, size) for size in (2 * width, width, width))
        for_gates, for_new = (part.t().contiguous() for part in weight.split([2 * width, width]))
        to_gates, to_new = (added[..., : 2 * width] + bias[: 2 * width]), added[..., 2 * width :]
        shift, resets, updates = bias[2 * width :], gates[..., :width], gates[..., width:]
        steps = (to_gates, to_new, states[:-1], states[1:], gates, resets, updates, new, hidden_new)
        for a, b, before, after, gate, r, z, made, q in zip(*(part.unbind() for part in steps), strict=True):
            torch.addmm(a, before, for_gates, out=gate).sigmoid_()
            torch.addmm(shift, before, for_new, out=q)
            torch.addcmul(b, r, q, out=made).tanh_()
            torch.lerp(made, before, z, out=after)
        ctx.save_for_backward(states, gates, new, hidden_new, weight)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        states, gates, new, hidden_new, weight = ctx.saved_tensors
        (time, n, width), before = new.shape, states[:-1]
        r, z = gates[..., :width], gates[..., width:]
        # derivatives of a hidden state by the pre-activations of r, z, W h + b of the new part, and n
        parts = gradient.new_empty(time, n, 4, width)
        torch.mul(1 - z, 1 - new.square(), out=parts[:, :, 3])
        torch.mul(parts[:, :, 3], r, out=parts[:, :, 2])
        torch.mul((before - new) * z, 1 - z, out=parts[:, :, 1])
        torch.mul(parts[:, :, 2] * hidden_new, 1 - r, out=parts[:, :, 0])
        grad_hidden = torch.zeros_like(gradient[0])
        for part, own, z_t in zip(*(reversed(each.unbind()) for each in (parts, gradient, z)), strict=True):
            grad_hidden = grad_hidden + own
            part.mul_(grad_hidden[:, None])
            grad_hidden = torch.addmm(grad_hidden * z_t, part.view(n, 4 * width)[:, : 3 * width], weight)
        rows = parts.view(time * n, 4 * width)
        recurrent = rows[:, : 3 * width]
        added = torch.cat([rows[:, : 2 * width], rows[:, 3 * width :]], 1).view(time, n, 3 * width)
        return added, grad_hidden, recurrent.t() @ before.reshape(-1, width), recurrent.sum(0)

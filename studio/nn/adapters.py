"""Small trainable parts inside a policy: in a transformer's blocks, and behind its head. None of them changes what a
frozen policy does before it is trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional


class Prefix(nn.Module):
    """Learned keys and values that every token attends to as well, behind a gate for each head that starts closed.

    Keys and values: Li and Liang 2021 (arXiv:2101.00190). The gate, and a softmax of its own so that a closed gate
    leaves the output as it is: Zhang et al. 2023 (LLaMA-Adapter, arXiv:2303.16199, equations 5 to 7).

    Args:
        tokens: how many keys and values.
        width: of a token.
    """

    def __init__(self, tokens: int, width: int, heads: int) -> None:
        super().__init__()
        self.key, self.value = (nn.Parameter(torch.zeros(tokens, width)) for _ in range(2))
        self.gate = nn.Parameter(torch.zeros(heads, 1, 1))

    def initialize(self, generator: Generator) -> None:
        """Draw keys and values; the gate stays closed."""
        for parameter in (self.key, self.value):
            drawn = torch.randn(parameter.shape, generator=generator) * parameter.shape[1] ** -0.5
            parameter.data.copy_(drawn)

    def forward(self, query: Tensor) -> Tensor:
        """Return what queries (n, heads, tokens, width / heads) read from the prefix, of the same shape."""
        n, heads, _, width = query.shape
        key, value = (
            p.view(len(p), heads, width).transpose(0, 1).expand(n, -1, -1, -1) for p in (self.key, self.value)
        )
        return self.gate.tanh() * functional.scaled_dot_product_attention(query, key, value)


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))) through a narrow layer; ``up`` starts at zero (Houlsby et al. 2019, arXiv:1902.00751).

    Args:
        width: of a token.
        narrow: width of the layer between.
    """

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, narrow), nn.Linear(narrow, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def initialize(self, generator: Generator) -> None:
        """Draw the first layer; the second stays zero."""
        weight = self.down.weight
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * weight.shape[1] ** -0.5)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(functional.gelu(self.down(x)))


class ActionMap(nn.Module):
    """A head with a small network behind it that maps the actions of one robot to another's, seen the features.

    It starts as the identity: every action goes to the slot of the same meaning, and a slot that the first robot does
    not have gets the mean action.

    Args:
        head: features (n, width) → normalized actions (n, outputs); it stays frozen.
        mask: which outputs are actions of the robot that the head was trained for, (outputs,) bool.
        features: their width.
        width: of the hidden layer.
    """

    mask: Tensor

    def __init__(self, head: nn.Module, mask: Tensor, features: int, width: int) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mask", mask)
        self.hidden, self.out = nn.Linear(len(mask) + features, width), nn.Linear(width, len(mask))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def initialize(self, generator: Generator) -> None:
        """Draw the first layer; the second stays zero."""
        weight = self.hidden.weight
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * weight.shape[1] ** -0.5)
        nn.init.zeros_(self.hidden.bias)

    def forward(self, features: Tensor) -> Tensor:
        actions = torch.where(self.mask, self.head(features), 0.0)
        return actions + self.out(functional.relu(self.hidden(torch.cat([actions, features], -1))))


def restored_action_map(head: nn.Module, state: Mapping[str, Tensor], prefix: str) -> nn.Module:
    """Return the head of a policy, inside an action map where the saved state under ``prefix`` has one."""
    mask, hidden = state.get(f"{prefix}mask"), state.get(f"{prefix}hidden.weight")
    if mask is None or hidden is None or isinstance(head, ActionMap):
        return head
    made = ActionMap(head, torch.zeros_like(mask), hidden.shape[1] - len(mask), len(hidden))
    return made.to(next(head.parameters()).device)

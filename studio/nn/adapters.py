"""Small trainable parts inside a transformer's blocks. None of them changes the output before it is trained."""

from __future__ import annotations

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

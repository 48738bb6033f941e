"""Transformer blocks with explicit projections.

``q_proj``, ``k_proj``, ``v_proj`` and ``o_proj`` are plain linear layers on purpose: PyTorch's fused encoder reads the
base weights directly in eval mode, so that an adapter inside it would have no effect.
"""

from __future__ import annotations

from typing import Any

from torch import Generator, Tensor, nn
from torch.nn import functional

from studio.nn.adapters import Bottleneck, Prefix


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2). (n, tokens, width) → same."""

    prefix: Prefix | None

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width) for _ in range(4))
        self.register_module("prefix", None)

    def add_prefix(self, tokens: int) -> Prefix:
        """Add learned keys and values, and return them."""
        weight = self.q_proj.weight
        self.prefix = Prefix(tokens, weight.shape[1], self.heads).to(weight.device)
        return self.prefix

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what each token reads of those that ``mask``, bool (n, 1, tokens, tokens), lets it see; None: all."""
        n, tokens, width = x.shape

        def split(projected: Tensor) -> Tensor:
            return projected.view(n, tokens, self.heads, width // self.heads).transpose(1, 2)

        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        mixed = functional.scaled_dot_product_attention(q, k, v, mask)
        if self.prefix is not None:
            mixed = mixed + self.prefix(q)
        return self.o_proj(mixed.transpose(1, 2).reshape(n, tokens, width))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        key = state_dict.get(f"{prefix}prefix.key")
        if key is not None and self.prefix is None:  # of a policy that was saved with one
            self.add_prefix(len(key))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Block(nn.Module):
    """Pre-norm transformer block. (n, tokens, width) → same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up_proj, self.down_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.attention_adapter: nn.Module = nn.Identity()
        self.mlp_adapter: nn.Module = nn.Identity()

    def add_prefix(self, tokens: int, generator: Generator) -> None:
        """Add learned keys and values to the attention."""
        self.attention.add_prefix(tokens).initialize(generator)

    def add_bottlenecks(self, width: int, generator: Generator) -> None:
        """Add a bottleneck behind the attention and behind the perceptron."""
        for bottleneck in self._place_bottlenecks(width):
            bottleneck.initialize(generator)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attention_adapter(self.attention(self.attention_norm(x), mask))
        return x + self.mlp_adapter(self.down_proj(functional.gelu(self.up_proj(self.mlp_norm(x)))))

    def _place_bottlenecks(self, width: int) -> tuple[Bottleneck, Bottleneck]:
        weight = self.up_proj.weight
        attention, mlp = (Bottleneck(weight.shape[1], width).to(weight.device) for _ in range(2))
        self.attention_adapter, self.mlp_adapter = attention, mlp
        return attention, mlp

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        narrow = state_dict.get(f"{prefix}attention_adapter.down.bias")
        if narrow is not None and isinstance(self.attention_adapter, nn.Identity):  # of a policy that was saved with it
            self._place_bottlenecks(len(narrow))
        super()._load_from_state_dict(state_dict, prefix, *rest)

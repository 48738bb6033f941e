"""A small encoder of sentences that learns from the instructions themselves, in any language."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BYTES, EMBEDDING, FILTERS, SPAN = 256, 16, 64, 9


class CharacterEncoder(nn.Module):
    """Byte embeddings, filters that span nine bytes (three Chinese characters), and the maximum of each over the
    sentence: (n, bytes) uint8 → (n, width).

    What a filter recognizes counts wherever in the sentence it stands. An empty sentence has an embedding of its own.
    Source: after Zhang, Zhao and LeCun 2015, arXiv:1509.01626; the maximum over time: Kim 2014, arXiv:1408.5882.

    Args:
        additive: what the filters found is added up, with no layer in which it could depend on each other: a word means
            the same beside words that it never stood beside.
    """

    def __init__(self, width: int, additive: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BYTES, EMBEDDING)
        self.filters = nn.Conv1d(EMBEDDING, FILTERS, SPAN, padding=SPAN // 2)
        hidden = nn.Sequential(nn.Linear(FILTERS, width), nn.ReLU(), nn.Linear(width, width))
        self.last: nn.Module = nn.Linear(FILTERS, width) if additive else hidden

    def forward(self, instructions: Tensor) -> Tensor:
        distinct, inverse = torch.unique(instructions, dim=0, return_inverse=True)  # a batch holds few sentences
        said = distinct > 0
        length = max(1, int(said.sum(1).max()))
        distinct, said = distinct[:, :length], said[:, None, :length]
        found = torch.relu(self.filters(self.embedding(distinct.long()).transpose(1, 2) * said)) * said
        return self.last(found.amax(2))[inverse]

"""A small encoder of sentences that learns from the instructions themselves, in any language."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BYTES, EMBEDDING, CHANNELS = 256, 32, 96


class CharacterEncoder(nn.Module):
    """Byte embeddings, two convolutions and the maximum over the sentence: (n, bytes) uint8 → (n, width).

    What a filter recognizes counts wherever in the sentence it stands. The convolutions span nine bytes, three Chinese
    characters. An empty sentence has an embedding of its own. Source: after Zhang, Zhao and LeCun 2015,
    arXiv:1509.01626; the maximum over time: Kim 2014, arXiv:1408.5882.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BYTES, EMBEDDING)
        self.first = nn.Conv1d(EMBEDDING, CHANNELS, 5, padding=2)
        self.second = nn.Conv1d(CHANNELS, CHANNELS, 5, padding=2)
        self.last = nn.Linear(CHANNELS, width)

    def forward(self, instructions: Tensor) -> Tensor:
        said = (instructions > 0).unsqueeze(1)
        x = self.embedding(instructions.long()).transpose(1, 2) * said
        x = torch.relu(self.first(x)) * said
        x = torch.relu(self.second(x)) * said
        return self.last(x.amax(2))

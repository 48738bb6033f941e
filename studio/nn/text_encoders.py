"""How a policy reads instructions: an encoder by its name, or by the folder of a pretrained one."""

from __future__ import annotations

from torch import nn

from studio.nn.character_encoder import CharacterEncoder

CHARACTERS = "characters"


def text_encoder(name: str, width: int) -> nn.Module:
    """Return an encoder of instructions, (n, 96) uint8 → (n, width).

    Args:
        name: ``characters``: the small one that learns with the policy.

    Raises:
        DataError: the encoder is not there.
    """
    return CharacterEncoder(width)

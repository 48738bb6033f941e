"""How each entry of an observation becomes tokens of a transformer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from studio.contracts import SLOTS, is_image
from studio.nn.spaces import LIMBS

GOAL = 6  # coordinates of a goal, at most; shorter ones are padded with zeros
FEATURE_POINT = 3  # x, y and the peak


@dataclass(frozen=True)
class Tokenizer:
    """The modules of a policy that turn one entry into tokens, by their names.

    Names of what older policies have are kept, since their files and adapters hold them.

    Args:
        entry: the observation's.
        tokens: how many it gives.
        width: of what the embedding reads.
        embedding: a linear layer; empty: the encoder's output is a token as it is.
        encoder: what finds features in an image, or reads a sentence; empty: the entry is read as it is.
    """

    entry: str
    tokens: int
    width: int
    embedding: str = ""
    encoder: str = ""


def tokenizers_of(inputs: Sequence[str], points: int) -> tuple[Tokenizer, ...]:
    """Return the tokenizers of what a policy sees, of what it reads, and of its own body, in this order.

    Args:
        inputs: names of the observation's entries.
        points: feature points of each image.

    Raises:
        ValueError: there is an entry that no tokenizer is for.
    """
    found = []
    sights = [entry for entry in inputs if entry != "instruction"]
    for place, entry in enumerate(sights):
        name = re.sub(r"\W", "_", entry)  # a camera's may be any
        embedding = f"{name}_embedding" if place else "point_embedding"
        if is_image(entry):
            encoder = name.replace("image", "points", 1)
            found.append(Tokenizer(entry, points, FEATURE_POINT, embedding, encoder))
        elif entry == "goal":
            found.append(Tokenizer(entry, 1, GOAL, embedding))
        else:
            raise ValueError(f"it cannot read the observation's entry '{entry}'")
    if "instruction" in inputs:
        found.append(Tokenizer("instruction", 1, 0, encoder="text_encoder"))
    return (
        *found,
        Tokenizer("joint_pos", 1, 2 * SLOTS, "joint_embedding"),
        Tokenizer("eef_pos", 1, 2 * 3 * LIMBS, "end_effector_embedding"),
    )

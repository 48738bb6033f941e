"""How a policy reads instructions: a small encoder that learns with it, or a pretrained one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from torch import nn

from studio.contracts import Problem, ResolvedDomain
from studio.errors import DataError
from studio.nn.character_encoder import CharacterEncoder
from studio.nn.pretrained_text import FIELD, PretrainedEncoder, encoder_folder, token_ids

CHARACTERS = "characters"
WORDS = "words"
LEARNED = (CHARACTERS, WORDS)  # with the policy, in any language


def text_encoder(name: str, width: int) -> nn.Module:
    """Return an encoder of instructions, (n, 96) uint8 → (n, width).

    Args:
        name: ``characters``; ``words``, the same but additive; ``minilm``; or a folder with a Hugging Face encoder.

    Raises:
        DataError: the encoder is not there.
    """
    if name in LEARNED:
        return CharacterEncoder(width, additive=name == WORDS)
    return PretrainedEncoder(name, width)


def check_text_encoder(name: str, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
    """Return why an encoder cannot read the instructions of domains that observe them: it is not there, or makes the
    same tokens of two instructions of different meaning."""
    if name in LEARNED or not domains:
        return []
    try:
        folder = encoder_folder(name)
        for resolved in domains.values():
            for language in resolved.domain.instructions.languages:
                said = [resolved.task.sentences(context, language, "training")[0] for context in resolved.task.members]
                for one, other in combinations(said, 2):
                    if token_ids(folder, one) == token_ids(folder, other):
                        words = f"The text encoder '{name}' reads '{one}' and '{other}' as the same tokens."
                        remedy = f"Choose {CHARACTERS}, an encoder that knows {language}, or another language."
                        return [Problem(FIELD, words, remedy)]
    except DataError as error:
        return [Problem(error.field, error.message, error.remedy)]
    return []

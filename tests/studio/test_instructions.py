"""Sentences as rows of bytes."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.tasks.phrases import COLORS, PHRASES, SIDES, sentences
from studio.instructions import WIDTH, decode, encode


def test_sentences_come_back_from_their_bytes() -> None:
    said = ["push the red block", "把红色方块推到左边的垫子上", ""]
    rows = encode(said)
    assert rows.shape == (3, WIDTH) and rows.dtype == np.uint8 and not rows[2].any()
    assert decode(rows) == said


@pytest.mark.parametrize("sentence", ["方" * 33, "a\0b"])
def test_sentence_that_does_not_fit_is_refused(sentence: str) -> None:
    with pytest.raises(ValueError, match="instruction"):
        encode([sentence])


def test_every_phrase_fits_names_its_object_and_is_new() -> None:
    for verb, languages in PHRASES.items():
        for language in languages:
            every = {
                (color, side, wording): sentences(verb, color, side, language, wording)
                for color in range(3) for side in range(2) for wording in ("training", "held_out")
            }  # fmt: skip
            flat = [sentence for those in every.values() for sentence in those]
            assert len(set(flat)) == len(flat)
            encode(flat)
            for (color, side, _), those in every.items():
                assert all(COLORS[language][color] in s and SIDES[language][side] in s for s in those)

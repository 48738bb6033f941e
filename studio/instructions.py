"""Instructions as arrays: a sentence in UTF-8, zero-padded to a fixed width, (n, 96) uint8. An empty one says nothing.

Below ``sim``, ``data`` and ``nn``, which all need it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

Array = np.ndarray
WIDTH = 96  # bytes; a Chinese character takes three


def encode(sentences: Iterable[str]) -> Array:
    """Return sentences as rows, (n, 96) uint8.

    Raises:
        ValueError: a sentence is longer than 96 bytes, or holds a NUL character.
    """
    rows = []
    for sentence in sentences:
        text = sentence.encode("utf-8")
        if len(text) > WIDTH or 0 in text:
            fault = "holds a NUL character" if 0 in text else f"takes {len(text)} bytes, and {WIDTH} are the most"
            raise ValueError(f"the instruction '{sentence}' {fault}")
        rows.append(np.frombuffer(text.ljust(WIDTH, b"\0"), np.uint8))
    return np.array(rows, np.uint8).reshape(len(rows), WIDTH)


def decode(rows: Array) -> list[str]:
    """Return the sentences of rows (n, 96) uint8; bytes that are no UTF-8 become the replacement character."""
    return [bytes(row).rstrip(b"\0").decode("utf-8", errors="replace") for row in np.asarray(rows, np.uint8)]

"""Observations as policies on states read them: their entries side by side, in one order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from studio.contracts import RENAMED_ENTRIES

Array = np.ndarray


def flatten(observation: Any, ignored: Collection[str] = ()) -> Array:
    """Return an observation as one array (n, width): an array as it is, a dictionary's entries in alphabetic order,
    without those that are ignored.

    Raises:
        ValueError: it holds images.
    """
    if not isinstance(observation, Mapping):
        return np.asarray(observation)
    if "image" in observation:
        raise ValueError("this policy observes states, not images")
    return np.concatenate([np.asarray(observation[key]) for key in entry_names(observation, ignored)], -1)


def entry_names(observation: Mapping[str, Any], ignored: Collection[str] = ()) -> list[str]:
    """Return the names of a dictionary's entries in alphabetic order, without those that are ignored under their
    present name or the one that they had when the policy was saved."""
    left_out = {RENAMED_ENTRIES.get(name, name) for name in ignored}
    return sorted(name for name in observation if name not in left_out)

"""What is wrong with an experiment, and what an iteration measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Why an experiment cannot start: plain words, the dotted field it belongs to, and how to fix it."""

    field: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Metrics:
    """What one iteration found. ``values`` maps a name to a number; names in ``Strategy.units`` carry units.

    ``step`` only grows, over all of a strategy's own stages; ``share`` is how much of the present one is done, and
    NaN stands for step / total.
    """

    step: int
    total: int
    values: Mapping[str, float]
    stage: str = ""  # one of Strategy.stages; empty: "adapt"
    share: float = math.nan

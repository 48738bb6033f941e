"""What is wrong with an experiment, and what an iteration measured."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Problem:
    """Why an experiment cannot start: plain words, the dotted field it belongs to, and how to fix it.

    Args:
        changes: the edits that fix it, dotted fields with their new values; empty: a person has to decide.
    """

    field: str
    message: str
    remedy: str = ""
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def within(self, part: str) -> Problem:
        """Return the problem of a part of an experiment, such as its target, as one of the experiment."""
        changes = {f"{part}.{name}": value for name, value in self.changes.items()}
        return Problem(f"{part}.{self.field}", self.message, self.remedy, changes)


@dataclass(frozen=True)
class CheckResult:
    """What one check of the preflight found.

    Args:
        check: what was looked at, such as "Gripper sign".
        state: ``problem``: a policy that learns from this will fail; ``warning``: it may; ``skipped``: it could not be
            looked at.
        changes: the edits of the experiment that fix it, dotted fields with their new values.
    """

    check: str
    state: Literal["ok", "warning", "problem", "skipped"]
    message: str
    remedy: str = ""
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def within(self, part: str) -> CheckResult:
        """Return the result of a part of an experiment, such as its target, as one of the experiment."""
        changes = {f"{part}.{name}": value for name, value in self.changes.items()}
        return CheckResult(f"{part}: {self.check}", self.state, self.message, self.remedy, changes)


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

"""What a person chose for a randomized quantity, and the choice in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication

from widgets.randomization.range_slider import Distribution


@dataclass(frozen=True)
class Choice:
    """What a person chose for a quantity: the fields of a RandomizationTerm, and whether it applies."""

    on: bool
    low: float
    high: float
    distribution: Distribution = "uniform"
    probability: float = 1.0
    std: float = 0.0
    resample: str = "reset"
    interval: float = 1.0
    parts: str = ""
    observed: bool = False

    def term(self, field: str) -> dict[str, Any]:
        """As the experiment file has it."""
        whole = {name: value for name, value in vars(self).items() if name != "on"}
        return {"field": field, **whole}


def kept(given: float, shown: float, decimals: int) -> float:
    """The number that was given, as long as its field shows nothing else."""
    return given if math.isclose(round(given, decimals), shown, abs_tol=10.0 ** -(decimals + 2)) else shown


def described(choice: Choice) -> str:
    """What differs from a plain uniform draw for every episode, in short; for a closed row."""
    said = [choice.parts] if choice.parts else []
    if choice.distribution == "log_uniform":
        said.append(_tr("log-uniform"))
    elif choice.distribution == "normal":
        said.append(_tr("normal") + (f" σ {choice.std:.3g}" if choice.std else ""))
    if choice.resample == "once":
        said.append(_tr("once"))
    elif choice.resample == "interval":
        said.append(_tr("every {0:g} s").format(choice.interval))
    if choice.observed:
        said.append(_tr("observed"))
    if choice.probability < 1:
        said.append(_tr("in {0} % of draws").format(round(100 * choice.probability)))
    return " · ".join(said)


def _tr(text: str) -> str:
    return QCoreApplication.translate("RangeDetails", text)

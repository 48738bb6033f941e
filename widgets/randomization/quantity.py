"""One quantity that can be randomized: its scale, its nominal value and its usual range."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """What can be randomized. ``nominal`` leaves the model as it is; ``shown`` is where that lies on the scale."""

    field: str
    label: str
    help: str
    unit: str
    minimum: float
    maximum: float
    low: float  # the preset's range
    high: float
    decimals: int = 2
    nominal: float = 1.0
    shown: float = 1.0
    probability: float = 1.0
    parted: bool = False  # it may be of some parts of the model only

    @property
    def step(self) -> float:
        return float(10**-self.decimals)

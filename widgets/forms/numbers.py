"""Editors of numbers: whole and real, within the range of their field."""

from __future__ import annotations

import math
from typing import Any

from pydantic.fields import FieldInfo
from PySide6.QtCore import Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox

from widgets.forms.wheel import guard_wheel
from widgets.style import theme

INT_LIMIT = 2**31 - 1
NARROW = 92  # least width of a number's field, px


class Whole(QSpinBox):
    """A whole number; it steps by the size of the number."""

    edited = Signal()

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.setRange(int(max(low, -INT_LIMIT)), int(min(high, INT_LIMIT)))
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.setGroupSeparatorShown(True)
        self.setKeyboardTracking(False)
        self.setMinimumWidth(NARROW)
        self.lineEdit().setTextMargins(theme.SMALL, 0, 0, 0)
        guard_wheel(self)
        self.valueChanged.connect(lambda _: self.edited.emit())

    def set_value(self, value: Any) -> None:
        self.setValue(int(value))


class Real(QDoubleSpinBox):
    """A real number in its shortest form, ``0.001`` or ``3e-06``; small ones step 1, 2, 5, 10."""

    edited = Signal()

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.setDecimals(14)
        self.setRange(max(low, -1e300), min(high, 1e300))
        self._geometric = low >= 0
        self.setKeyboardTracking(False)
        self.setMinimumWidth(NARROW)
        self.lineEdit().setTextMargins(theme.SMALL, 0, 0, 0)
        guard_wheel(self)
        self.valueChanged.connect(lambda _: self.edited.emit())

    def set_value(self, value: Any) -> None:
        self.setValue(float(value))

    def textFromValue(self, value: float) -> str:
        return f"{value:.6g}"

    def valueFromText(self, text: str) -> float:
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            part = all(c in "0123456789.,eE+-" for c in text)
            return (QValidator.State.Intermediate if part else QValidator.State.Invalid), text, position
        inside = self.minimum() <= number <= self.maximum() and math.isfinite(number)
        return (QValidator.State.Acceptable if inside else QValidator.State.Intermediate), text, position

    def stepBy(self, steps: int) -> None:
        value = self.value()
        for _ in range(abs(steps)):
            value = self._next(value, steps > 0)
        self.setValue(float(f"{value:.6g}"))

    def _next(self, value: float, up: bool) -> float:
        if self._geometric and 0 < value <= 0.1 and (up or value > 1e-12):
            exponent = math.floor(math.log10(value) + 1e-9)
            ladder = [m * 10.0**e for e in (exponent - 1, exponent, exponent + 1) for m in (1, 2, 5)]
            beyond = [x for x in ladder if (x > value * 1.000001 if up else x < value * 0.999999)]
            return min(beyond) if up else max(beyond)
        size = 0.05 if abs(value) < 1 else 10.0 ** (math.floor(math.log10(abs(value)) + 1e-9) - 1)
        return (math.floor(value / size + 1e-6) + 1 if up else math.ceil(value / size - 1e-6) - 1) * size


def limits(field: FieldInfo) -> tuple[float, float]:
    """The range a number's editor keeps to. An open end is left to the model, which tells what is wrong."""
    low, high = -math.inf, math.inf
    for bound in field.metadata:
        below = [getattr(bound, name, None) for name in ("ge", "gt")]
        above = [getattr(bound, name, None) for name in ("le", "lt")]
        low = max([low, *(float(value) for value in below if value is not None)])
        high = min([high, *(float(value) for value in above if value is not None)])
    return low, high

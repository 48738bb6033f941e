"""Editors of numbers: whole and real, within the range of their field.

A number out of range can be typed; when it is complete the editor keeps its value and says what is wrong.
"""

from __future__ import annotations

import math
from typing import Any

from annotated_types import Gt
from pydantic.fields import FieldInfo
from PySide6.QtCore import QCoreApplication, QPoint, QTimer, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox, QToolTip

from widgets.forms.wheel import guard_wheel
from widgets.style import theme

INT_LIMIT = 2**31 - 1
REAL_LIMIT = 1e300
NARROW = 84  # least width of a number's field, px


class WholeBox(QSpinBox):
    """A spin box that explains why a number is not taken."""

    refused = Signal(str)  # what is wrong with what was typed; empty once something else is typed

    def __init__(self) -> None:
        super().__init__()
        self.setKeyboardTracking(False)  # a number is taken when it is complete
        self.lineEdit().textEdited.connect(lambda _: self.refused.emit(""))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let numbers out of range be typed: Qt's own would swallow the last digit."""
        state, text, position = super().validate(text, position)
        if state == QValidator.State.Invalid and text.lstrip("+-").isdigit():
            state = QValidator.State.Intermediate
        return state, text, position

    def fixup(self, text: str) -> str:
        separator = self.locale().groupSeparator()
        number = text.removeprefix(self.prefix()).removesuffix(self.suffix()).replace(separator, "").strip()
        low, high = self.minimum(), self.maximum()
        least = "" if low <= -INT_LIMIT else _least(f"{low:,}")
        most = "" if high >= INT_LIMIT else _most(f"{high:,}")
        is_number = number.lstrip("+-").isdigit()
        if not is_number or not low <= int(number) <= high:
            self.refused.emit(_refusal(number, is_number, least, most, self.textFromValue(self.value())))
        return text


class RealBox(QDoubleSpinBox):
    """A spin box that explains why a number is not taken.

    Args:
        above: the number must be above the range's lower end, not at it.
    """

    refused = Signal(str)  # what is wrong with what was typed; empty once something else is typed

    def __init__(self, above: bool = False) -> None:
        super().__init__()
        self._above = above
        self.setKeyboardTracking(False)  # a number is taken when it is complete
        self.lineEdit().textEdited.connect(lambda _: self.refused.emit(""))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let every part of a number be typed, ``3e-`` too, and numbers out of range."""
        if text and text == self.specialValueText():
            return QValidator.State.Acceptable, text, position
        try:
            number = float(self._bare(text))
        except ValueError:
            part = all(c in "0123456789.,eE+-" for c in self._bare(text))
            return (QValidator.State.Intermediate if part else QValidator.State.Invalid), text, position
        inside = self.minimum() <= number <= self.maximum() and math.isfinite(number)
        return (QValidator.State.Acceptable if inside else QValidator.State.Intermediate), text, position

    def valueFromText(self, text: str) -> float:
        if text and text == self.specialValueText():
            return self.minimum()
        try:
            return round(float(self._bare(text)), self.decimals())
        except ValueError:
            return self.value()

    def fixup(self, text: str) -> str:
        low, high = self.minimum(), self.maximum()
        least = "" if low <= -REAL_LIMIT else _least(f"{low:g}", self._above)
        most = "" if high >= REAL_LIMIT else _most(f"{high:g}")
        try:
            is_number = not math.isnan(float(self._bare(text)))
        except ValueError:
            is_number = False
        self.refused.emit(_refusal(self._bare(text), is_number, least, most, self.textFromValue(self.value())))
        return text

    def _bare(self, text: str) -> str:
        return text.removeprefix(self.prefix()).removesuffix(self.suffix()).replace(",", ".").strip()


def explain_at(box: WholeBox | RealBox) -> None:
    """Show what is wrong in a bubble under the box, where nothing beside it has room for that."""

    def show(words: str) -> None:
        if words:  # once the focus has moved, which hides every bubble
            place = box.mapToGlobal(QPoint(0, box.height() // 2))
            QTimer.singleShot(0, box, lambda: QToolTip.showText(place, words, box))

    box.refused.connect(show)


def _refusal(number: str, is_number: bool, least: str, most: str, kept: str) -> str:
    range = _tr(" and ").join(part for part in (least, most) if part)
    words = _tr("{number} is out of range. It must be {range}.") if is_number else _tr("'{number}' is not a number.")
    return words.format(number=number, range=range) + " " + _tr("The value is still {kept}.").format(kept=kept)


def _least(low: str, above: bool = False) -> str:
    return (_tr("above {low}") if above else _tr("at least {low}")).format(low=low)


def _most(high: str) -> str:
    return _tr("at most {high}").format(high=high)


def _tr(words: str) -> str:
    return QCoreApplication.translate("Numbers", words)


class Whole(WholeBox):
    """A whole number; it steps by the size of the number."""

    edited = Signal()

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.setRange(int(max(low, -INT_LIMIT)), int(min(high, INT_LIMIT)))
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.setGroupSeparatorShown(True)
        self.setMinimumWidth(NARROW)
        self.lineEdit().setTextMargins(theme.SMALL, 0, 0, 0)
        guard_wheel(self)
        self.valueChanged.connect(lambda _: self.edited.emit())

    def set_value(self, value: Any) -> None:
        self.setValue(int(value))


class Real(RealBox):
    """A real number in its shortest form, ``0.001`` or ``3e-06``; small ones step 1, 2, 5, 10."""

    edited = Signal()

    def __init__(self, low: float, high: float, above: bool = False) -> None:
        super().__init__(above)
        self.setDecimals(14)
        self.setRange(max(low, -REAL_LIMIT), min(high, REAL_LIMIT))
        self._geometric = low >= 0
        self.setMinimumWidth(NARROW)
        self.lineEdit().setTextMargins(theme.SMALL, 0, 0, 0)
        guard_wheel(self)
        self.valueChanged.connect(lambda _: self.edited.emit())

    def set_value(self, value: Any) -> None:
        self.setValue(float(value))

    def textFromValue(self, value: float) -> str:
        return f"{value:.6g}"

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
    """Return the range that a number's editor keeps to; the end itself is left to the model where it is excluded."""
    low, high = -math.inf, math.inf
    for bound in field.metadata:
        below = [getattr(bound, name, None) for name in ("ge", "gt")]
        above = [getattr(bound, name, None) for name in ("le", "lt")]
        low = max([low, *(float(value) for value in below if value is not None)])
        high = min([high, *(float(value) for value in above if value is not None)])
    return low, high


def is_above(field: FieldInfo) -> bool:
    """Return whether a field's lower end is excluded."""
    return any(isinstance(bound, Gt) for bound in field.metadata)

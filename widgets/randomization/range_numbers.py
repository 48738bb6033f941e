"""The numbers of a range row: its two ends, and the previewed value."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from widgets.forms.numbers import RealBox, explain_at
from widgets.randomization.quantity import Quantity
from widgets.style import theme

# Fusion under a stylesheet squeezes the text away when a spin box has no buttons; so it has them, without width.
BARE = (
    "QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; subcontrol-origin: margin; }"
)


class BoundSpin(RealBox):
    """One end of a range."""

    def __init__(self, quantity: Quantity, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(quantity.help)
        self.setDecimals(quantity.decimals)
        self.setSingleStep(5 * quantity.step)
        self.setStyleSheet(BARE)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFixedWidth(58)
        explain_at(self)


class PreviewLabel(QLabel):
    """The value that the viewport previews, in words; nominal where nothing is changed."""

    def __init__(self, quantity: Quantity) -> None:
        super().__init__()
        self._quantity = quantity
        self.shown: float | tuple[float, ...] = quantity.nominal
        self.setProperty("role", "muted")
        self.setFont(theme.small_font())
        self.setFixedWidth(44)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def show_value(self, value: float | Sequence[float]) -> None:
        """Show a value, or the first of three."""
        self.shown = tuple(value) if isinstance(value, Sequence) else float(value)
        numbers = self.shown if isinstance(self.shown, tuple) else (self.shown,)
        first, decimals = numbers[0], self._quantity.decimals
        nominal = all(math.isnan(v) or v == self._quantity.nominal for v in numbers)
        self.setText(self.tr("nominal") if nominal else f"{first:.{decimals}f}{' …' if len(numbers) > 1 else ''}")
        self.setToolTip(", ".join(f"{v:.{decimals}f}" for v in numbers) if len(numbers) > 1 else "")
        role = "muted" if nominal else "warning"  # as the pointer's color
        if role != self.property("role"):
            self.setProperty("role", role)
            self.style().polish(self)

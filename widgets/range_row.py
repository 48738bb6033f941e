"""One randomized quantity: on or off, its range, how it is drawn, and a value of it to look at in the viewport."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QToolButton,
    QWidget,
)

from widgets import theme
from widgets.range_slider import RangeSlider

# Fusion under a stylesheet squeezes the text away when a spin box has no buttons; so it has them, without width.
BARE = (
    "QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; subcontrol-origin: margin; }"
)
SETTLE_MS = 250  # after the last movement of a handle the range counts as chosen


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

    @property
    def step(self) -> float:
        return float(10**-self.decimals)


@dataclass(frozen=True)
class Choice:
    """What a person chose for a quantity: the fields of a RandomizationTerm, and whether it applies."""

    on: bool
    low: float
    high: float
    log: bool = False
    probability: float = 1.0

    def term(self, field: str) -> dict[str, Any]:
        """As the experiment file has it."""
        return {
            "field": field,
            "low": self.low,
            "high": self.high,
            "distribution": "log_uniform" if self.log else "uniform",
            "probability": self.probability,
        }


class RangeRow(QWidget):
    """Two lines: name and numbers, then the slider."""

    changed = Signal()  # the choice was edited and has settled
    value_changed = Signal(float)  # the value to look at was moved

    def __init__(self, quantity: Quantity, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.quantity = quantity
        q = quantity
        self.check = QCheckBox(q.label)
        self.check.setToolTip(q.help)
        self.low = self._spin(self.tr("{0}: low").format(q.label))
        self.high = self._spin(self.tr("{0}: high").format(q.label))
        dash = QLabel("–")
        dash.setProperty("role", "muted")
        unit = QLabel(q.unit)
        unit.setProperty("role", "muted")
        unit.setFixedWidth(22)
        self.slider = RangeSlider(q.minimum, q.maximum, q.shown, q.step)
        self.slider.setAccessibleName(self.tr("{0}: value to look at").format(q.label))
        self.slider.setToolTip(
            self.tr(
                "{0}\nThe round handles are the range, the pointer is a value seen in the viewport at once. "
                "Keys: arrows move the pointer, Ctrl+arrows the lower end, Shift+arrows the upper end."
            ).format(q.help)
        )
        self.value = QLabel()
        self.value.setProperty("role", "muted")
        self.value.setFont(theme.small_font())
        self.value.setFixedWidth(44)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.shape = QToolButton()
        self.shape.setCheckable(True)
        self.shape.setText(self.tr("log"))
        self.shape.setFont(theme.small_font())
        self.shape.setToolTip(self.tr("Draw log-uniformly: as often half as twice. The range must lie above 0."))
        self.shape.setAccessibleName(self.tr("{0}: log-uniform").format(q.label))
        self.share = QSpinBox()
        self.share.setRange(0, 100)
        self.share.setSuffix(" %")
        self.share.setFixedWidth(58)
        self.share.setStyleSheet(BARE)
        self.share.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.share.setToolTip(self.tr("How often it is applied at all"))
        self.share.setAccessibleName(self.tr("{0}: probability").format(q.label))
        self.preset = QToolButton()
        theme.set_icon(self.preset, "reset", "muted")
        self.preset.setFixedSize(24, 22)
        self.preset.setToolTip(self.tr("The preset's range: {0:g} – {1:g} {2}").format(q.low, q.high, q.unit))
        self.preset.setAccessibleName(self.tr("{0}: preset").format(q.label))
        self.problem = QLabel()
        self.problem.setProperty("role", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        head = QHBoxLayout()
        head.setSpacing(theme.SMALL)
        head.addWidget(self.check, 1)
        for part in (self.low, dash, self.high, unit):
            head.addWidget(part)
        tail = QHBoxLayout()
        tail.setSpacing(theme.SMALL)
        tail.addWidget(self.slider, 1)
        for widget in (self.value, self.shape, self.share, self.preset):
            tail.addWidget(widget)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, theme.SMALL)
        layout.setVerticalSpacing(0)
        layout.addLayout(head, 0, 0)
        layout.addLayout(tail, 1, 0)
        layout.addWidget(self.problem, 2, 0)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.changed)
        self._looked_at = q.nominal
        self.set_choice(self.preset_choice(on=False))
        self.look_at(q.nominal)
        self._wire()

    # -- the choice ----------------------------------------------------------------------------------------------------

    def choice(self) -> Choice:
        return Choice(
            self.check.isChecked(),
            self.low.value(),
            self.high.value(),
            self.shape.isChecked(),
            self.share.value() / 100,
        )

    def set_choice(self, choice: Choice) -> None:
        """Without telling."""
        q, widgets = self.quantity, (self.check, self.low, self.high, self.shape, self.share)
        for widget in widgets:
            widget.blockSignals(True)
        bottom, top = min(q.minimum, choice.low), max(q.maximum, choice.high)
        for spin in (self.low, self.high):
            spin.setRange(bottom, top)
        self.check.setChecked(choice.on)
        self.low.setValue(choice.low)
        self.high.setValue(choice.high)
        self.shape.setChecked(choice.log)
        self.share.setValue(round(100 * choice.probability))
        self.share.setVisible(q.probability < 1 or choice.probability < 1)  # rows that always apply need no such field
        for widget in widgets:
            widget.blockSignals(False)
        self._settle.stop()
        self.set_problem("")
        self._redraw()

    def preset_choice(self, on: bool = True) -> Choice:
        """The document's range."""
        return Choice(on, self.quantity.low, self.quantity.high, False, self.quantity.probability)

    def set_problem(self, text: str) -> None:
        """Says under the row what is wrong with it; empty: nothing."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    @property
    def is_settling(self) -> bool:
        """An edit is under way that has not been told yet."""
        return self._settle.isActive()

    # -- the value to look at ------------------------------------------------------------------------------------------

    @property
    def looked_at(self) -> float:
        """The value shown in the viewport; the nominal one leaves the model as it is."""
        return self._looked_at

    def look_at(self, value: float) -> None:
        """Without telling."""
        self._looked_at = value
        nominal = math.isnan(value) or value == self.quantity.nominal
        self.slider.set_value(self.quantity.shown if math.isnan(value) else value)
        self.value.setText(self.tr("nominal") if nominal else f"{value:.{self.quantity.decimals}f}")
        role = "muted" if nominal else "warning"  # as the pointer's colour
        if role != self.value.property("role"):
            self.value.setProperty("role", role)
            self.value.style().polish(self.value)

    def sample(self, rng: random.Random) -> float:
        """One draw, as an episode would make it; nominal where the row is off or its probability says so."""
        choice = self.choice()
        if not choice.on or rng.random() >= choice.probability:
            return self.quantity.nominal
        if choice.log:
            return math.exp(rng.uniform(math.log(choice.low), math.log(choice.high)))
        return rng.uniform(choice.low, choice.high)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        self.check.toggled.connect(self._edited)
        self.low.valueChanged.connect(lambda value: self._bound(max(value, self.high.value()), self.high))
        self.high.valueChanged.connect(lambda value: self._bound(min(value, self.low.value()), self.low))
        self.shape.toggled.connect(self._edited)
        self.share.valueChanged.connect(self._edited)
        self.preset.clicked.connect(lambda: self._take(replace(self.preset_choice(), on=self.check.isChecked())))
        self.slider.range_changed.connect(lambda low, high: self._take(replace(self.choice(), low=low, high=high)))
        self.slider.value_changed.connect(self._moved)

    def _bound(self, value: float, other: QDoubleSpinBox) -> None:
        """One end pushes the other along, so that a range is never reversed."""
        if other.value() != value:
            other.blockSignals(True)
            other.setValue(value)
            other.blockSignals(False)
        self._edited()

    def _take(self, choice: Choice) -> None:
        self.set_choice(choice)
        self._edited()

    def _edited(self) -> None:
        self._redraw()
        self._settle.start()

    def _moved(self, value: float) -> None:
        self.look_at(value)
        self.value_changed.emit(value)

    def _redraw(self) -> None:
        choice = self.choice()
        if choice.low <= 0 and self.shape.isChecked():
            self.shape.blockSignals(True)
            self.shape.setChecked(False)
            self.shape.blockSignals(False)
        self.shape.setEnabled(choice.on and choice.low > 0)
        for widget in (self.low, self.high, self.share, self.preset):
            widget.setEnabled(choice.on)
        self.slider.active = choice.on
        self.slider.log = self.shape.isChecked()
        self.slider.set_range(choice.low, choice.high)

    def _spin(self, name: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setAccessibleName(name)
        spin.setToolTip(self.quantity.help)
        spin.setDecimals(self.quantity.decimals)
        spin.setSingleStep(5 * self.quantity.step)
        spin.setStyleSheet(BARE)
        spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        spin.setFixedWidth(58)
        spin.setKeyboardTracking(False)  # a number is taken when it is complete
        return spin

"""Sliders for joints, actuators or a context: they follow the simulation, and move it when a person drags them."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

from widgets.style import theme
from widgets.viewport.model_sheet import Slider

TICKS = 1000


class SliderList(QWidget):
    """One row for each slider."""

    turned = Signal(int, float)  # by a person: index in the model, value

    def __init__(self, what: str, none: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._what, self._none = what, none
        self._shown: tuple[Slider, ...] = ()
        self._texts: dict[int, str] = {}  # what is written at each slider
        self.sliders: list[QSlider] = []
        self.numbers: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, theme.MEDIUM)
        self._grid.setHorizontalSpacing(theme.MEDIUM)
        self._grid.setVerticalSpacing(theme.SMALL)
        self._grid.setColumnStretch(1, 1)

    def set_sliders(self, sliders: tuple[Slider, ...]) -> None:
        """Show the rows of another model."""
        if sliders == self._shown and (self.sliders or not sliders) and self._grid.count():
            return
        self._shown = sliders
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self.sliders, self.numbers, self._texts = [], [], {}
        if not sliders:
            nothing = QLabel(self._none)
            nothing.setProperty("role", "muted")
            nothing.setWordWrap(True)
            self._grid.addWidget(nothing, 0, 0, 1, 3)
            return
        for row, spec in enumerate(sliders):
            name = QLabel()
            name.setFont(theme.small_font())
            name.setText(name.fontMetrics().elidedText(spec.name, Qt.TextElideMode.ElideMiddle, 84))
            name.setFixedWidth(84)
            tip = f"{spec.name}: {spec.low:.4g} … {spec.high:.4g} {spec.unit}".rstrip()
            name.setToolTip(tip)
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, TICKS)
            slider.setPageStep(TICKS // 20)
            slider.setToolTip(tip)
            slider.setAccessibleName(f"{self._what} {spec.name}")
            slider.installEventFilter(self)  # the wheel scrolls the list, it does not turn what lies under it
            slider.valueChanged.connect(lambda tick, row=row: self._turn(row, tick))
            number = QLabel("–")
            number.setFont(theme.small_font())
            number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            number.setFixedWidth(44)
            self.sliders.append(slider)
            self.numbers.append(number)
            for column, widget in enumerate((name, slider, number)):
                self._grid.addWidget(widget, row, column)

    def follow(self, values: np.ndarray) -> None:
        """Show the present values, by index in the model."""
        for spec, slider, number in zip(self._shown, self.sliders, self.numbers):
            value = float(values[spec.index]) if spec.index < len(values) else math.nan
            text = f"{value:.3f}" if math.isfinite(value) else "–"
            if text == self._texts.get(spec.index) or slider.isSliderDown():
                continue  # the slider is not moved under the person's hand
            self._texts[spec.index] = text
            number.setText(text)
            slider.setEnabled(math.isfinite(value))
            if math.isfinite(value):
                share = (value - spec.low) / ((spec.high - spec.low) or 1.0)
                with QSignalBlocker(slider):
                    slider.setValue(round(TICKS * min(max(share, 0.0), 1.0)))

    def _turn(self, row: int, tick: int) -> None:
        spec = self._shown[row]
        value = spec.low + (spec.high - spec.low) * tick / TICKS
        self._texts[spec.index] = f"{value:.3f}"
        self.numbers[row].setText(self._texts[spec.index])
        self.turned.emit(spec.index, value)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)

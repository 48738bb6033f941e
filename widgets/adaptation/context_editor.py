"""Sliders and numbers of a task's context, with what lies inside the range of training and what outside."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from widgets.adaptation.context_slider import ContextSlider
from widgets.forms.numbers import Real, Whole, explain_at
from widgets.style import theme

if TYPE_CHECKING:
    from widgets.adaptation.job import TaskFacts

NUMBER, WHOLE = 70, 130  # px: ten digits of a whole number have room


class ContextEditor(QWidget):
    """One row for each component of ω, and below them where the context lies."""

    edited = Signal(tuple)  # by a person: the new context

    def __init__(self) -> None:
        super().__init__()
        self._facts: TaskFacts | None = None
        self.context: tuple[float, ...] = ()
        self.sliders: list[ContextSlider] = []
        self.numbers: list[Real | Whole] = []
        self.place = QLabel(self)
        self.place.setFont(theme.small_font())
        self.place.setWordWrap(True)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, theme.SMALL, 0)
        self._grid.setHorizontalSpacing(theme.SMALL)
        self._grid.setVerticalSpacing(theme.HAIR)
        self._grid.setColumnStretch(1, 1)
        theme.on_change(self, self._say_where)

    def set_facts(self, facts: TaskFacts) -> None:
        """Show the components of another family."""
        self._facts = facts
        self._grid.removeWidget(self.place)  # it stays
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self.sliders, self.numbers = [], []
        for row, (part, inside) in enumerate(zip(facts.components, facts.ranges, strict=True)):
            words = part.name.replace("_", " ")
            ends = [f"{end:,.0f}" if part.is_whole else f"{end:.4g}" for end in inside]
            tip = self.tr("{0}: training draws {1} … {2}").format(words, *ends)
            slider = ContextSlider(part.low, part.high, inside, words)
            slider.setToolTip(tip)
            slider.turned.connect(partial(self._turn, row))
            box = Whole(part.low, part.high) if part.is_whole else Real(part.low, part.high)
            box.setFixedWidth(WHOLE if part.is_whole else NUMBER)
            box.setAccessibleName(words)
            box.setToolTip(tip)
            explain_at(box)
            box.valueChanged.connect(partial(self._turn, row))
            name = QLabel(words)
            name.setFont(theme.small_font())
            name.setToolTip(tip)
            self.sliders.append(slider)
            self.numbers.append(box)
            for column, widget in enumerate((name, slider, box)):
                self._grid.addWidget(widget, row, column)
        self._grid.addWidget(self.place, len(facts.components), 0, 1, 3)
        self._grid.setRowStretch(len(facts.components) + 1, 1)
        self.set_context(facts.first)

    def set_context(self, context: tuple[float, ...]) -> None:
        """Show a context without emitting."""
        self.context = context
        for value, slider, box in zip(context, self.sliders, self.numbers, strict=False):
            slider.set_value(value)
            with QSignalBlocker(box):
                box.set_value(value if isinstance(box, Whole) else f"{value:.3g}")
        self._say_where()

    def _turn(self, component: int, value: float) -> None:
        from studio.viewer.steering import with_component

        if self._facts is None:
            return
        made = with_component(self._facts.components, np.array(self.context), component, value)
        self.set_context(tuple(float(each) for each in made))
        self.edited.emit(self.context)

    def _say_where(self) -> None:
        if self._facts is None or not self.context:
            self.place.setText("")
            return
        is_inside = self._facts.domain.task.is_inside(self.context)
        words = self.tr("inside the range of training") if is_inside else self.tr("outside the range of training")
        self.place.setText(words)
        self.place.setStyleSheet(f"color: {theme.color('success' if is_inside else 'warning').name()};")

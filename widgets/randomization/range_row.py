"""One randomized quantity: on or off, its range, how it is drawn, and a value of it to look at in the viewport."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QWidget,
)

from widgets.randomization.choice import Choice, described, kept
from widgets.randomization.quantity import Quantity
from widgets.randomization.range_details import DETAILS, RangeDetails
from widgets.randomization.range_numbers import BoundSpin, PreviewLabel
from widgets.randomization.range_slider import RangeSlider
from widgets.style import theme

SETTLE_MS = 250  # after the last movement of a handle the range counts as chosen


class RangeRow(QWidget):
    """Two lines: name and numbers, then the slider; opened, the details under them.

    Args:
        further: it is the quantity's second range or a later one, for other parts; it can be removed.
    """

    changed = Signal()  # the choice was edited and has settled
    value_changed = Signal(float)  # the value to look at was moved
    another_asked = Signal()
    removal_asked = Signal()

    def __init__(self, quantity: Quantity, further: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.quantity = quantity
        q = quantity
        self.check = QCheckBox(q.label)
        self.check.setToolTip(q.help)
        self.low = BoundSpin(q, self.tr("{0}: low").format(q.label))
        self.high = BoundSpin(q, self.tr("{0}: high").format(q.label))
        dash = QLabel("–")
        dash.setProperty("role", "muted")
        unit = QLabel(q.unit)
        unit.setProperty("role", "muted")
        unit.setFixedWidth(22)
        self.slider = RangeSlider(q.minimum, q.maximum, q.shown, q.step)
        self.slider.setAccessibleName(self.tr("{0}: preview value").format(q.label))
        self.slider.setToolTip(
            self.tr(
                "{0}\nThe round handles set the range, the pointer a value to preview in the viewport. "
                "Keys: arrows move the pointer, Ctrl+arrows the lower end, Shift+arrows the upper end."
            ).format(q.help)
        )
        self.value = PreviewLabel(q)
        self._further = further
        self._details: RangeDetails | None = None
        self._names: Sequence[str] = ()
        self.summary = QLabel()
        self.summary.setProperty("role", "muted")
        self.summary.setFont(theme.small_font())
        self.summary.setContentsMargins(20, 0, 0, 0)
        self.more = QToolButton()
        self.more.setCheckable(True)
        self.more.setFixedSize(22, 22)
        self.more.setToolTip(self.tr("Distribution, time of drawing, and parts"))
        self.more.setAccessibleName(self.tr("{0}: details").format(q.label))
        theme.set_icon(self.more, "right", "muted")
        self.preset = QToolButton()
        theme.set_icon(self.preset, "reset", "muted")
        self.preset.setFixedSize(24, 22)
        self.preset.setToolTip(self.tr("Set the preset's range: {0:g} – {1:g} {2}").format(q.low, q.high, q.unit))
        self.preset.setAccessibleName(self.tr("{0}: preset").format(q.label))
        self.problem = QLabel()
        self.problem.setProperty("role", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        head = QHBoxLayout()
        head.setSpacing(theme.SMALL)
        head.addWidget(self.check, 1)
        for part in (self.low, dash, self.high, unit, self.more):
            head.addWidget(part)
        tail = QHBoxLayout()
        tail.setSpacing(theme.SMALL)
        tail.addWidget(self.slider, 1)
        for widget in (self.value, self.preset):
            tail.addWidget(widget)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, theme.SMALL)
        layout.setVerticalSpacing(0)
        layout.addLayout(head, 0, 0)
        layout.addLayout(tail, 1, 0)
        layout.addWidget(self.summary, 2, 0)
        layout.addWidget(self.problem, 3, 0)
        self._layout = layout
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.changed)
        self._given = self.preset_choice(on=False)
        self.set_choice(self.preset_choice(on=False))
        self.set_preview(q.nominal)
        self._wire()

    # -- the choice ----------------------------------------------------------------------------------------------------

    def choice(self) -> Choice:
        """What the row shows; numbers that were given finer than they are shown stay as they were given."""
        given, on = self._given, self.check.isChecked()
        low = kept(given.low, self.low.value(), self.low.decimals())
        high = kept(given.high, self.high.value(), self.high.decimals())
        if self._details is None:
            return replace(given, on=on, low=low, high=high)
        return Choice(on, low, high, **self._details.values())

    def set_choice(self, choice: Choice) -> None:
        """Show a choice without emitting."""
        q, widgets = self.quantity, (self.check, self.low, self.high)
        for widget in widgets:
            widget.blockSignals(True)
        self._given = choice
        bottom, top = min(q.minimum, choice.low), max(q.maximum, choice.high)
        for spin in (self.low, self.high):
            spin.setRange(bottom, top)
        self.check.setChecked(choice.on)
        self.low.setValue(choice.low)
        self.high.setValue(choice.high)
        if self._details is not None:
            self._details.set_choice(choice)
        for widget in widgets:
            widget.blockSignals(False)
        self._settle.stop()
        self.set_problem("")
        self._redraw()

    def preset_choice(self, on: bool = True) -> Choice:
        """The quantity's usual range."""
        return Choice(on, self.quantity.low, self.quantity.high, probability=self.quantity.probability)

    def set_problem(self, text: str, field: str = "") -> None:
        """Show under the row what is wrong with it, and mark the term's field; empty text: nothing is wrong."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        marked = self.editor_of(field) if text else None
        further = self._details.editors.values() if self._details is not None else ()
        for editor in (self.low, self.high, *further):
            wrong = editor is marked
            if bool(editor.property("problem")) != wrong:
                editor.setProperty("problem", wrong)
                editor.style().unpolish(editor)
                editor.style().polish(editor)

    def editor_of(self, field: str) -> QWidget | None:
        """The editor of a term's field."""
        own: dict[str, QWidget] = {"low": self.low, "high": self.high}
        return own.get(field) or (self.details.editors.get(field) if field in DETAILS else None)

    def set_names(self, names: Sequence[str]) -> None:
        """The model's parts that the quantity may be of, as completions."""
        self._names = names
        if self._details is not None:
            self._details.set_names(names)

    @property
    def key(self) -> str:
        """What distinguishes this row's values from another's; see :attr:`studio.experiment.RandomizationTerm.key`."""
        parts = self.choice().parts
        return f"{self.quantity.field}:{parts}" if parts and self.quantity.parted else self.quantity.field

    @property
    def details(self) -> RangeDetails:
        """The editors under the row when it is opened; made at their first use."""
        if self._details is None:
            q = self.quantity
            made = RangeDetails(q.label, q.step, q.decimals, q.parted, self._further)
            made.hide()
            made.set_choice(self.choice())
            made.set_names(self._names)
            made.set_log_allowed(self.low.value() > 0)
            made.setEnabled(self.check.isChecked())
            made.edited.connect(self._edited)
            made.another_asked.connect(self.another_asked)
            made.removal_asked.connect(self.removal_asked)
            self._layout.addWidget(made, 4, 0)
            self._details = made
        return self._details

    @property
    def is_settling(self) -> bool:
        """Whether an edit is pending that has not been emitted yet."""
        return self._settle.isActive()

    # -- the value to look at ------------------------------------------------------------------------------------------

    @property
    def preview_value(self) -> float | tuple[float, ...]:
        """The value previewed in the viewport, for some quantities three; the nominal one leaves the model as it is."""
        return self.value.shown

    def set_preview(self, value: float | Sequence[float]) -> None:
        """Preview a value without emitting. The pointer stands at the first of three numbers."""
        self.value.show_value(value)
        first = value[0] if isinstance(value, Sequence) else float(value)
        self.slider.set_value(self.quantity.shown if math.isnan(first) else first)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        self.check.toggled.connect(self._edited)
        self.low.valueChanged.connect(lambda value: self._bound(max(value, self.high.value()), self.high))
        self.high.valueChanged.connect(lambda value: self._bound(min(value, self.low.value()), self.low))
        self.more.toggled.connect(self._open)
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
        self.set_preview(value)
        self.value_changed.emit(value)

    def _redraw(self) -> None:
        above = self.low.value() > 0
        if self._details is not None:
            self._details.set_log_allowed(above)
            self._details.setEnabled(self.check.isChecked())
        elif not above and self._given.distribution == "log_uniform":
            self._given = replace(self._given, distribution="uniform")
        choice = self.choice()
        for widget in (self.low, self.high, self.preset):
            widget.setEnabled(choice.on)
        words = described(choice) if choice.on and not self.more.isChecked() else ""
        self.summary.setText(words)
        self.summary.setVisible(bool(words))
        self.slider.active = choice.on
        self.slider.set_distribution(choice.distribution, choice.std)
        self.slider.set_range(choice.low, choice.high)

    def _open(self, wanted: bool) -> None:
        theme.set_icon(self.more, "down" if wanted else "right", "muted")
        self.details.setVisible(wanted)
        self._redraw()

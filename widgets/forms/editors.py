"""Editors of single values: what a form puts beside a label. All have ``value()``, ``set_value()`` and ``edited``."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)

from widgets.style import theme

INT_LIMIT = 2**31 - 1
NARROW = 92  # least width of a number's field, px


class _NoStrayWheel(QObject):
    """Keeps the wheel for scrolling: an editor takes it only while it has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


def guard_wheel(widget: QWidget) -> None:
    """Lets the wheel pass over an editor that does not have the focus."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_NoStrayWheel(widget))


class Choice(QComboBox):
    """One of some values."""

    edited = Signal()

    def __init__(self, choices: list[Any]) -> None:
        super().__init__()
        for choice in choices:
            self.addItem(str(choice).replace("_", " "), choice)
        guard_wheel(self)
        self.activated.connect(lambda _: self.edited.emit())
        self.setMinimumContentsLength(6)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def set_choices(self, choices: Sequence[Any]) -> None:
        """Offers other values; nothing is emitted, and what is shown stays."""
        if [self.itemData(i) for i in range(self.count())] == [*choices]:
            return
        present = self.value()
        self.clear()
        for choice in choices:
            self.addItem(str(choice).replace("_", " "), choice)
        if present is not None:
            self.set_value(present)

    def set_contributions(self, contributions: Mapping[str, Any]) -> None:
        """Offers what is registered, by its title; the value is its id. What is shown stays."""
        present = self.value()
        self.clear()
        for id, contribution in contributions.items():
            self.addItem(contribution.title, id)
            self.setItemData(self.count() - 1, f"{id}\n{contribution.summary}", Qt.ItemDataRole.ToolTipRole)
        if present is not None:
            self.set_value(present)

    def value(self) -> Any:
        return self.currentData()

    def set_value(self, value: Any) -> None:
        index = self.findData(value)
        if index < 0:  # shown as it is, so that a problem can be reported at it
            self.addItem(str(value), value)
            index = self.count() - 1
        self.setCurrentIndex(index)


class Switch(QCheckBox):
    """Yes or no."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.clicked.connect(lambda _: self.edited.emit())

    def value(self) -> bool:
        return self.isChecked()

    def set_value(self, value: Any) -> None:
        self.setChecked(bool(value))


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


class Text(QLineEdit):
    """A line of text."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.editingFinished.connect(self._finish)
        self._before = ""

    def value(self) -> Any:
        return self.text()

    def set_value(self, value: Any) -> None:
        self.setText("" if value is None else str(value))
        self._before = self.text()

    def _finish(self) -> None:
        if self.text() != self._before:
            self._before = self.text()
            self.edited.emit()


class Listing(Text):
    """A list, its items separated by commas."""

    def __init__(self, item: type) -> None:
        super().__init__()
        self._item = item
        self.setPlaceholderText(self.tr("separated by commas"))

    def value(self) -> list[Any]:
        parts = [part.strip() for part in self.text().split(",") if part.strip()]
        try:
            return [self._item(part) for part in parts]
        except ValueError:
            return list(parts)  # the model says what does not fit

    def set_value(self, value: Any) -> None:
        super().set_value(", ".join(str(item) for item in value or []))


class Anything(Text):
    """Any other value, written as YAML.

    Args:
        empty: the value that is shown as nothing.
    """

    def __init__(self, empty: Any = None) -> None:
        super().__init__()
        self._empty = empty

    def value(self) -> Any:
        try:
            found = yaml.safe_load(self.text())
        except yaml.YAMLError:
            return self.text()
        return self._empty if found is None else found

    def set_value(self, value: Any) -> None:
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
        super().set_value("" if value == self._empty else text)


class PathField(QWidget):
    """A file's path: typed, chosen, dropped or cleared."""

    edited = Signal()

    def __init__(self, filter: str = "") -> None:
        super().__init__()
        self._filter = filter
        self.line = Text()
        self.line.setPlaceholderText(self.tr("none"))
        self.line.edited.connect(self.edited)
        self.setFocusProxy(self.line)
        self.setAcceptDrops(True)
        self.line.setAcceptDrops(False)  # the drop comes to us, also over the line
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HAIR)
        layout.addWidget(self.line, 1)
        for icon, words, call in (
            ("folder", self.tr("Choose a file"), self._choose),
            ("close", self.tr("Clear"), self._clear),
        ):
            button = QToolButton()
            button.setToolTip(words)
            button.setAccessibleName(words)
            theme.set_icon(button, icon, "muted")
            button.clicked.connect(call)
            layout.addWidget(button)
        self._clear_button = button
        self.line.textChanged.connect(lambda text: button.setVisible(bool(text)))
        button.hide()

    def value(self) -> str | None:
        return self.line.text().strip() or None

    def set_value(self, value: Any) -> None:
        self.line.set_value(value)
        self.line.setToolTip("" if value is None else str(value))

    def take(self, path: Path) -> None:
        """Takes a path as if it had been typed."""
        self.set_value(path)
        self.edited.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if len(event.mimeData().urls()) == 1 and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.take(Path(event.mimeData().urls()[0].toLocalFile()))

    def _choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Choose a file"), self.value() or "", self._filter)
        if name:
            self.take(Path(name))

    def _clear(self) -> None:
        self.set_value(None)
        self.edited.emit()


def editor_for(field: FieldInfo) -> Any:
    """The editor that fits a pydantic field's type and range."""
    annotation = field.annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Choice(list(arguments))
    if (origin in (Union, types.UnionType) and set(arguments) == {Path, type(None)}) or annotation is Path:
        return PathField()
    if annotation is bool:
        return Switch()
    low, high = limits(field)
    if annotation is int:
        return Whole(low, high)
    if annotation is float:
        return Real(low, high)
    if annotation is str:
        return Text()
    if origin is list and arguments and arguments[0] in (int, float, str):
        return Listing(arguments[0])
    return Anything({} if origin is dict else None)


def limits(field: FieldInfo) -> tuple[float, float]:
    """The range a number's editor keeps to. An open end is left to the model, which tells what is wrong."""
    low, high = -math.inf, math.inf
    for bound in field.metadata:
        below = [getattr(bound, name, None) for name in ("ge", "gt")]
        above = [getattr(bound, name, None) for name in ("le", "lt")]
        low = max([low, *(float(value) for value in below if value is not None)])
        high = min([high, *(float(value) for value in above if value is not None)])
    return low, high

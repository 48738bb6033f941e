"""Editors of one value out of a few: a list of choices, and a switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QHelpEvent, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

from widgets.forms.wheel import guard_wheel


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
        """Offer other values; nothing is emitted, and what is shown stays."""
        if [self.itemData(i) for i in range(self.count())] == [*choices]:
            return
        present = self.value()
        self.clear()
        for choice in choices:
            self.addItem(str(choice).replace("_", " "), choice)
        if present is not None:
            self.set_value(present)

    def set_contributions(self, contributions: Mapping[str, Any]) -> None:
        """Offer what is registered, by its title; the value is its id. What is shown stays."""
        present = self.value()
        self.clear()
        for id, contribution in contributions.items():
            self.addItem(contribution.title, id)
            self.setItemData(self.count() - 1, f"{id}\n{contribution.summary}", Qt.ItemDataRole.ToolTipRole)
        if present is not None:
            self.set_value(present)

    def value(self) -> Any:
        return self.currentData()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint as Qt does, but end a text that does not fit with an ellipsis."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown_text()
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def shown_text(self) -> str:
        """Return the chosen text as it is drawn: with an ellipsis where it does not fit."""
        option, field = QStyleOptionComboBox(), QStyle.SubControl.SC_ComboBoxEditField
        self.initStyleOption(option)
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room)

    def text(self) -> str:
        """Return the chosen text in full."""
        return self.currentText()

    def event(self, event: QEvent) -> bool:
        """Show a text that is cut in full, over the tool tip."""
        if isinstance(event, QHelpEvent) and self.shown_text() != self.text():
            parts = [part for part in (self.text(), self.toolTip()) if part]
            QToolTip.showText(event.globalPos(), "\n".join(parts), self)
            return True
        return super().event(event)

    def showPopup(self) -> None:
        """Open the list as wide as its longest line."""
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + bar)
        super().showPopup()

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

"""An editor of one value out of a few, or of several: a list whose lines can be ticked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QStyledItemDelegate

from widgets.forms.choices import Choice

TICK = 24  # px from the left within which a click ticks a line


class Several(Choice):
    """A click on a line chooses it alone; a click on its box, or the space bar, adds it or takes it away.

    The value is one choice, or a list of several in the order in which they were ticked.
    """

    def __init__(self, choices: list[Any], always_list: bool = False) -> None:
        self._chosen: list[Any] = []
        self._always_list = always_list  # one choice is a list too
        super().__init__([])
        self.activated.disconnect()
        self.activated.connect(self._choose)
        self.set_choices(choices)
        self.setItemDelegate(QStyledItemDelegate(self))  # a combo's own draws no empty boxes
        self.view().viewport().installEventFilter(self)
        self.view().installEventFilter(self)

    def value(self) -> Any:
        single = len(self._chosen) == 1 and not self._always_list
        return self._chosen[0] if single else [*self._chosen] or None

    def set_value(self, value: Any) -> None:
        self._chosen = [*value] if isinstance(value, list) else [value]
        for each in self._chosen:
            if self.findData(each) < 0:  # shown as it is, so that a problem can be reported at it
                self.addItem(str(each), each)
        self.setCurrentIndex(self.findData(self._chosen[0]))
        self._mark()

    def set_choices(self, choices: Sequence[Any]) -> None:
        chosen = self.value()
        super().set_choices(choices)
        if chosen is not None:
            self.set_value(chosen)
        self._mark()

    def text(self) -> str:
        return ", ".join(str(each).replace("_", " ") for each in self._chosen) or super().text()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tick a line of the open list."""
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonRelease:
            index = self.view().indexAt(event.position().toPoint())
            if index.isValid() and event.position().x() < self.view().visualRect(index).left() + TICK:
                self._toggle(index)
                return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Space:
            self._toggle(self.view().currentIndex())
            return True
        return super().eventFilter(watched, event)

    def _toggle(self, index: QModelIndex) -> None:
        value = self.itemData(index.row())
        if value not in self._chosen:
            self._chosen.append(value)
        elif len(self._chosen) > 1:
            self._chosen.remove(value)
        else:
            return  # at least one stays
        self._mark()
        self.edited.emit()

    def _choose(self, index: int) -> None:
        self._chosen = [self.itemData(index)]
        self._mark()
        self.edited.emit()

    def _mark(self) -> None:
        for row in range(self.count()):
            state = Qt.CheckState.Checked if self.itemData(row) in self._chosen else Qt.CheckState.Unchecked
            self.setItemData(row, state, Qt.ItemDataRole.CheckStateRole)
        self.update()

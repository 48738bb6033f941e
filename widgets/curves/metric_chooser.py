"""A button with a searchable list of plots, each with a check mark."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QToolButton, QVBoxLayout, QWidget

from widgets.style import theme

_KEY = Qt.ItemDataRole.UserRole


class MetricChooser(QToolButton):
    """Emits ``chosen(key, shown)``. ``ask`` is emitted before the list opens, so that it can be filled afresh."""

    chosen = Signal(object, bool)
    ask = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(self.tr("&Plots"))
        self.setToolTip(self.tr("Choose which metrics have a plot"))
        self.setAccessibleName(self.tr("Choose plots"))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.popup = QFrame(self, Qt.WindowType.Popup)
        self.popup.setProperty("role", "card")
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search metrics"))
        self.search.setAccessibleName(self.tr("Search metrics"))
        self.search.setClearButtonEnabled(True)
        self.model = QStandardItemModel(self)
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.list = QListView()
        self.list.setModel(self.proxy)
        self.list.setAccessibleName(self.tr("Plots"))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        column = QVBoxLayout(self.popup)
        column.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.search)
        column.addWidget(self.list)
        self.search.textChanged.connect(self.proxy.setFilterFixedString)
        self.search.returnPressed.connect(self._toggle_first)
        self.model.itemChanged.connect(self._item_changed)
        self.clicked.connect(self.open)

    def set_entries(self, entries: list[tuple[Any, str, bool]]) -> None:
        """Fill the list with (key, words, shown)."""
        self.model.blockSignals(True)
        self.model.clear()
        for key, words, shown in entries:
            item = QStandardItem(words)
            item.setData(key, _KEY)
            item.setCheckable(True)
            item.setCheckState(Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
            self.model.appendRow(item)
        self.model.blockSignals(False)
        self.proxy.invalidate()

    def open(self) -> None:
        """Open the list under the button."""
        self.ask.emit()
        self.search.clear()
        self.popup.resize(240, min(340, 60 + 24 * max(3, self.model.rowCount())))
        self.popup.move(self.mapToGlobal(QPoint(0, self.height() + 2)))
        self.popup.show()
        self.search.setFocus()

    def _item_changed(self, item: QStandardItem) -> None:
        self.chosen.emit(item.data(_KEY), item.checkState() == Qt.CheckState.Checked)

    def _toggle_first(self) -> None:
        index = self.proxy.mapToSource(self.proxy.index(0, 0))
        item = self.model.itemFromIndex(index)
        if item is not None:
            checked = item.checkState() == Qt.CheckState.Checked
            item.setCheckState(Qt.CheckState.Unchecked if checked else Qt.CheckState.Checked)

"""The table view of the runs: columns, delegates, and which runs are selected."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QItemSelectionModel, QPoint, QSettings, Qt
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTableView, QWidget

from widgets.curves.overlay import Overlay, key_of
from widgets.runs.delegates import StateDelegate, SuccessDelegate, SwatchDelegate
from widgets.runs.table import CREATED, INFO, SHOWN, STATE, STRATEGY, SUCCESS, TRAINABLE, RunFilter
from widgets.style import theme

_WIDEST = (  # a text as wide as each column's usual content
    "", "Goal-conditioned mm", "0.00mmmmm", "interrupted", "Episodes ", "Seed ", "experiment", "Franka arm → UR5e arm",
    "On source ", "Duration ", "Trainable ", "10 min ago",
)  # fmt: skip


_KEPT = "runs/columns"  # in the settings
_ALWAYS = (SHOWN, STRATEGY)  # columns that cannot be hidden


class RunView(QTableView):
    """Shows the sorted and searched runs, newest first; its columns are chosen by a right click on their heads.

    ``settings``: where columns, their order, widths and sorting are kept; None keeps nothing.
    """

    def __init__(
        self, runs: RunFilter, overlay: Overlay, parent: QWidget | None = None, settings: QSettings | None = None
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self.setModel(runs)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(CREATED, Qt.SortOrder.DescendingOrder)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName(self.tr("Runs"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 9)
        head = self.horizontalHeader()
        head.setSectionsMovable(True)
        head.setHighlightSections(False)
        head.setMinimumSectionSize(24)
        head.setStretchLastSection(True)
        self.setItemDelegateForColumn(SHOWN, SwatchDelegate(overlay, self))
        self.setItemDelegateForColumn(SUCCESS, SuccessDelegate(self))
        self.setItemDelegateForColumn(STATE, StateDelegate(self))
        wide = self.fontMetrics().horizontalAdvance
        for column, text in enumerate(_WIDEST):
            self.setColumnWidth(column, 26 if column == SHOWN else wide(text) + (28 if column == STATE else 16))
        self.setColumnHidden(TRAINABLE, True)
        head.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        head.customContextMenuRequested.connect(self._choose_columns)
        kept = settings.value(_KEPT) if settings is not None else None
        if isinstance(kept, QByteArray):
            head.restoreState(kept)
        for moved in (head.sectionMoved, head.sectionResized, head.sortIndicatorChanged):
            moved.connect(self._keep_columns)
        theme.on_change(self, self.viewport().update)

    def column_menu(self) -> QMenu:
        """Return the menu of all columns, those that are shown ticked."""
        menu = QMenu(self)
        for column in range(self.model().columnCount()):
            title = self.model().headerData(column, Qt.Orientation.Horizontal)
            if column in _ALWAYS:
                continue
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(column))
            action.toggled.connect(partial(self._show_column, column))
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _choose_columns(self, place: QPoint) -> None:
        self.column_menu().popup(self.horizontalHeader().viewport().mapToGlobal(place))

    def _show_column(self, column: int, shown: bool) -> None:
        self.setColumnHidden(column, not shown)
        self._keep_columns()

    def _keep_columns(self, *_: object) -> None:
        if self._settings is not None:
            self._settings.setValue(_KEPT, self.horizontalHeader().saveState())

    def selected(self) -> list[Any]:
        """Return the selected runs, in the table's order."""
        rows = sorted(self.selectionModel().selectedRows(SHOWN), key=lambda index: index.row())
        return [index.data(INFO) for index in rows]

    def folders(self) -> list[Path]:
        """Return the folders of the selected runs."""
        return [Path(run.folder) for run in self.selected()]

    def select(self, folders: Iterable[Path]) -> None:
        """Select runs by their folders."""
        wanted = {key_of(folder) for folder in folders}
        selection, runs = self.selectionModel(), self.model()
        selection.clearSelection()
        for row in range(runs.rowCount()):
            index = runs.index(row, SHOWN)
            if key_of(index.data(INFO).folder) in wanted:
                selection.select(
                    index, QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
                )

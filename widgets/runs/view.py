"""The table view of the runs: columns, delegates, and which runs are selected."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QItemSelectionModel, QModelIndex, QPoint, QSettings, Qt
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTreeView, QWidget

from widgets.curves.overlay import Overlay, key_of
from widgets.runs.delegates import StateDelegate, SuccessDelegate, SwatchDelegate
from widgets.runs.group import key_of_row
from widgets.runs.row_text import CREATED, SHOWN, STATE, STRATEGY, SUCCESS, TRAINABLE
from widgets.runs.run_filter import RunFilter
from widgets.runs.table import RUNS, RunTable
from widgets.style import theme

_WIDEST = (  # a text as wide as each column's usual content
    "", "Goal-conditioned mm", "0.00mmmmm", "interrupted", "Episodes ", "Seed ", "experiment", "Franka arm → UR5e arm",
    "On source ", "Duration ", "Trainable ", "10 min ago",
)  # fmt: skip


_KEPT = "runs/columns"  # in the settings
_ALWAYS = (SHOWN, STRATEGY)  # columns that cannot be hidden


class RunView(QTreeView):
    """Shows the sorted and searched runs, newest first; its columns are chosen by a right click on their heads.
    Arrow keys to the right and left open and close a row of several runs.

    ``settings``: where columns, their order, widths and sorting are kept; None keeps nothing.
    """

    def __init__(
        self, runs: RunFilter, overlay: Overlay, parent: QWidget | None = None, settings: QSettings | None = None
    ) -> None:
        super().__init__(parent)
        self._settings, self._runs = settings, runs
        self._kept: tuple[list[Path], set[str]] = ([], set())  # selected runs and open rows, while rows are replaced
        self.setModel(runs)
        self.setTreePosition(STRATEGY)
        self.setIndentation(14)
        self.setExpandsOnDoubleClick(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(CREATED, Qt.SortOrder.DescendingOrder)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName(self.tr("Runs"))
        head = self.header()
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
        table = runs.sourceModel()
        assert isinstance(table, RunTable)
        table.regroups.connect(self._keep_rows)
        table.regrouped.connect(self._restore_rows)

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
        self.column_menu().popup(self.header().viewport().mapToGlobal(place))

    def _show_column(self, column: int, shown: bool) -> None:
        self.setColumnHidden(column, not shown)
        self._keep_columns()

    def _keep_columns(self, *_: object) -> None:
        if self._settings is not None:
            self._settings.setValue(_KEPT, self.header().saveState())

    def selected(self) -> list[Any]:
        """Return the selected runs, in the table's order; of a row of several all that the search has found."""
        rows = sorted(self.selectionModel().selectedRows(SHOWN), key=_place)
        found = {key_of(run.folder): run for index in rows for run in self._runs.runs_at(index)}
        return list(found.values())

    def folders(self) -> list[Path]:
        """Return the folders of the selected runs."""
        return [Path(run.folder) for run in self.selected()]

    def select(self, folders: Iterable[Path]) -> None:
        """Select runs by their folders."""
        wanted = {key_of(folder) for folder in folders}
        selection, runs = self.selectionModel(), self._runs
        selection.clearSelection()
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for row in range(runs.rowCount()):
            index = runs.index(row, SHOWN)
            found = {key_of(run.folder) for run in runs.runs_at(index)}
            if found <= wanted:
                selection.select(index, flags)
            elif found & wanted:
                self.expand(index)
                for below in range(runs.rowCount(index)):
                    child = runs.index(below, SHOWN, index)
                    if key_of(child.data(RUNS)[0].folder) in wanted:
                        selection.select(child, flags)

    def show_found(self) -> None:
        """Open the rows of several runs while a search is on, so that what it has found is seen."""
        if self._runs.searches:
            self.expandAll()
        else:
            self.collapseAll()

    def _keep_rows(self) -> None:
        """Note selected runs and open rows: rows are about to be replaced."""
        runs = self._runs
        tops = [runs.index(row, SHOWN) for row in range(runs.rowCount())]
        self._kept = self.folders(), {key_of_row(top.data(RUNS)[0]) for top in tops if self.isExpanded(top)}

    def _restore_rows(self) -> None:
        folders, opened = self._kept
        for row in range(self._runs.rowCount()):
            top = self._runs.index(row, SHOWN)
            if key_of_row(top.data(RUNS)[0]) in opened:
                self.expand(top)
        self.select(folders)


def _place(index: QModelIndex) -> tuple[int, int]:
    """Return where in the table a row is."""
    above = index.parent()
    return (above.row(), index.row()) if above.isValid() else (index.row(), -1)

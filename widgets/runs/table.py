"""The table of runs: a tree of two levels, in which runs that differ in nothing but their seeds are under one row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, overload

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from widgets.curves.overlay import Overlay, key_of
from widgets.runs.group import RunGroup, key_of_row
from widgets.runs.row_text import CREATED, DURATION, EPISODES, ON_SOURCE, SEED, SHOWN, STATE, TRAINABLE, RowText

Index = QModelIndex | QPersistentModelIndex
SORT = Qt.ItemDataRole.UserRole
INFO = Qt.ItemDataRole.UserRole + 1  # the RunInfo; of several runs one with their means
PROGRESS = Qt.ItemDataRole.UserRole + 2  # fraction of the stage while it runs, else None
RUNS = Qt.ItemDataRole.UserRole + 3  # list[RunInfo] of the row
_RIGHT = (EPISODES, SEED, ON_SOURCE, DURATION, TRAINABLE)


def head_data(title: str, help: str, right: bool, role: int) -> Any:
    """Return what a column's head shows: its title, its tooltip, and the side that both it and its cells lie on."""
    if role == Qt.ItemDataRole.DisplayRole:
        return title
    if role == Qt.ItemDataRole.ToolTipRole:
        return help
    if role == Qt.ItemDataRole.TextAlignmentRole:
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        return int(side | Qt.AlignmentFlag.AlignVCenter)
    return None


class RunTable(QAbstractItemModel):
    """A row for each run (``studio.store.runs.RunInfo``), or for several that differ in their seeds alone, which are
    then rows under it.

    Args:
        overlay: which runs are shown in the curves, and in which color.
        title: gives a contribution's title by its kind and id.
        parent: owns the model.
    """

    regroups = Signal()  # some runs are about to be found in another row, and selections of theirs are lost
    regrouped = Signal()

    def __init__(self, overlay: Overlay, title: Callable[[str, str], str], parent: Any = None) -> None:
        super().__init__(parent)
        self.overlay = overlay
        self.text = RowText(overlay, title, self)
        self._groups: list[RunGroup] = []
        self._numbers: dict[str, int] = {}  # of groups by their keys: what indices of the rows under one refer to it by
        self._keys: dict[int, str] = {}
        self._places: dict[str, int] = {}  # of the groups' own rows, by their keys
        overlay.changed.connect(self.redraw)

    @property
    def rows(self) -> list[Any]:
        """All runs."""
        return [run for group in self._groups for run in group.runs]

    # -- filling

    def set_runs(self, runs: Iterable[Any]) -> None:
        """Take the runs as they are now; rows that stay keep their place, so that a selection stays too."""
        fresh: dict[str, list[Any]] = {}
        for run in {key_of(run.folder): run for run in runs}.values():
            fresh.setdefault(key_of_row(run), []).append(run)
        made = {key: RunGroup(of_row) for key, of_row in fresh.items()}
        moves = any(old.key in made and not _same_rows(old, made[old.key]) for old in self._groups)
        if moves:
            self.regroups.emit()
        for place in reversed(range(len(self._groups))):
            old = self._groups[place]
            if old.key not in made or not _same_rows(old, made[old.key]):
                self.beginRemoveRows(QModelIndex(), place, place)
                del self._groups[place]
                self._number()
                self.endRemoveRows()
        for place, old in enumerate(self._groups):
            new = made.pop(old.key)
            if new.runs != old.runs:
                self._groups[place] = new
                self._redraw_group(place, 0, CREATED)
        if made:
            first = len(self._groups)
            self.beginInsertRows(QModelIndex(), first, first + len(made) - 1)
            self._groups.extend(made.values())
            self._number()
            self.endInsertRows()
        if moves:
            self.regrouped.emit()

    def set_progress(self, folder: Path | None, stage: str = "", fraction: float = math.nan) -> None:
        """Where the running session is."""
        now = (key_of(folder), stage, fraction) if folder is not None else None
        before, self.text.progress = self.text.progress, now
        if now is None or now == before:
            return
        for place, group in enumerate(self._groups):
            if any(key_of(run.folder) == now[0] for run in group.runs):
                self._redraw_group(place, STATE, STATE)

    def tick(self) -> None:
        """Redraw the times: "2 min ago" ages."""
        self._redraw(CREATED, CREATED)

    def redraw(self) -> None:
        """Draw every cell again: colors or titles are others now."""
        self._redraw(0, CREATED)

    def _redraw(self, first: int, last: int) -> None:
        if self._groups:
            self.dataChanged.emit(self.index(0, first), self.index(len(self._groups) - 1, last))
        for place, group in enumerate(self._groups):
            if group.is_group:
                self._redraw_group(place, first, last)

    def _redraw_group(self, place: int, first: int, last: int) -> None:
        self.dataChanged.emit(self.index(place, first), self.index(place, last))
        top, group = self.index(place, 0), self._groups[place]
        if group.is_group:
            self.dataChanged.emit(self.index(0, first, top), self.index(len(group.runs) - 1, last, top))

    def _number(self) -> None:
        """Note where the groups are now. A number is never given again: an index may still have it."""
        self._places = {group.key: place for place, group in enumerate(self._groups)}
        for key in self._places:
            self._numbers.setdefault(key, len(self._numbers) + 1)
        self._keys = {number: key for key, number in self._numbers.items()}

    # -- Qt's side

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, self._numbers[self._groups[parent.row()].key] if parent.isValid() else 0)

    @overload
    def parent(self) -> QObject: ...
    @overload
    def parent(self, index: Index, /) -> QModelIndex: ...
    def parent(self, index: Index | None = None) -> QModelIndex | QObject | None:
        if index is None:
            return super().parent()
        place = self._places.get(self._keys.get(index.internalId(), "")) if index.isValid() else None
        return QModelIndex() if place is None else self.createIndex(place, 0, 0)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        if not parent.isValid():
            return len(self._groups)
        if parent.internalId() or parent.column() > 0:
            return 0
        return len(self._groups[parent.row()].below)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return CREATED + 1

    def group_at(self, index: Index) -> RunGroup:
        """Return the runs of a row: of a group, or of a row under it that one alone."""
        above = self.parent(index)
        if above.isValid():
            return self._groups[above.row()].below[index.row()]
        return self._groups[index.row()]

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == SHOWN else flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        return head_data(*self.text.heads()[section], section in _RIGHT, role)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.group_at(index), index.column()
        if role == INFO:
            return row.info
        if role == RUNS:
            return row.runs
        if role == SORT:
            return self.text.sort_key(row, column)
        if role == PROGRESS:
            return self.text.fraction(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text.text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in _RIGHT:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.text.tip(row, column)
        if column == SHOWN and role in (Qt.ItemDataRole.CheckStateRole, Qt.ItemDataRole.AccessibleTextRole):
            state = self._shown(row)
            if role == Qt.ItemDataRole.CheckStateRole:
                return state
            return {
                Qt.CheckState.Checked: self.tr("shown in the curves"),
                Qt.CheckState.PartiallyChecked: self.tr("partly shown in the curves"),
                Qt.CheckState.Unchecked: self.tr("not shown"),
            }[state]
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != SHOWN:
            return False
        folders = [run.folder for run in self.group_at(index).runs]
        self.overlay.set_shown(folders, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def _shown(self, row: RunGroup) -> Qt.CheckState:
        """Return whether a row's runs are shown in the curves: all of them, some, or none."""
        shown = [self.overlay.is_shown(run.folder) for run in row.runs]
        if all(shown):
            return Qt.CheckState.Checked
        return Qt.CheckState.PartiallyChecked if any(shown) else Qt.CheckState.Unchecked


def _same_rows(one: RunGroup, other: RunGroup) -> bool:
    """Return whether two states of a row have the same rows under them."""
    folders = [[key_of(run.folder) for run in row.runs] for row in (one, other)]
    return folders[0] == folders[1] or not (one.is_group or other.is_group)

"""The table of runs: its model, and what sorts and searches it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt

from widgets.curves.axis import clock
from widgets.curves.overlay import Overlay, key_of
from widgets.runs.query import Condition, Searched, parse
from widgets.runs.report import rate

Index = QModelIndex | QPersistentModelIndex
SHOWN, STRATEGY, SUCCESS, STATE, EPISODES, SEED, NAME, DOMAINS, ON_SOURCE, DURATION, TRAINABLE, CREATED = range(12)
SORT = Qt.ItemDataRole.UserRole
INFO = Qt.ItemDataRole.UserRole + 1  # the RunInfo
PROGRESS = Qt.ItemDataRole.UserRole + 2  # fraction of the stage while it runs, else None
ALIVE = ("preparing", "running", "paused")
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


class RunTable(QAbstractTableModel):
    """One row for each run (``studio.store.runs.RunInfo``).

    Args:
        overlay: which runs are shown in the curves, and in which color.
        title: gives a contribution's title by its kind and id.
        parent: owns the model.
    """

    def __init__(self, overlay: Overlay, title: Callable[[str, str], str], parent: Any = None) -> None:
        super().__init__(parent)
        self.overlay = overlay
        self._title = title
        self.rows: list[Any] = []
        self._progress: tuple[Path, str, float] | None = None
        overlay.changed.connect(self.redraw)

    # -- filling

    def set_runs(self, runs: Iterable[Any]) -> None:
        """Take the runs as they are now; rows that stay keep their place, so that a selection stays too."""
        fresh = {key_of(run.folder): run for run in runs}
        for row in reversed(range(len(self.rows))):
            if key_of(self.rows[row].folder) not in fresh:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self.rows[row]
                self.endRemoveRows()
        for row, old in enumerate(self.rows):
            new = fresh.pop(key_of(old.folder))
            if new != old:
                self.rows[row] = new
                self.dataChanged.emit(self.index(row, 0), self.index(row, CREATED))
        if fresh:
            self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows) + len(fresh) - 1)
            self.rows.extend(fresh.values())
            self.endInsertRows()

    def set_progress(self, folder: Path | None, stage: str = "", fraction: float = math.nan) -> None:
        """Where the running session is."""
        before, self._progress = self._progress, (key_of(folder), stage, fraction) if folder is not None else None
        if self._progress is None or self._progress == before:
            return
        for row, run in enumerate(self.rows):
            if key_of(run.folder) == self._progress[0]:
                self.dataChanged.emit(self.index(row, STATE), self.index(row, STATE))

    def tick(self) -> None:
        """Redraw the times: "2 min ago" ages."""
        if self.rows:
            self.dataChanged.emit(self.index(0, CREATED), self.index(len(self.rows) - 1, CREATED))

    def redraw(self) -> None:
        """Draw every cell again: colors or titles are others now."""
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, CREATED))

    # -- Qt's side

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return CREATED + 1

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == SHOWN else flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        return head_data(*self._heads()[section], section in _RIGHT, role)

    def _heads(self) -> list[tuple[str, str]]:
        return [
            ("", self.tr("Shown in the curves in this color. Space shows and hides the selected runs.")),
            (self.tr("Strategy"), self.tr("Transfer strategy")),
            (
                self.tr("Score"),
                self.tr("Success rate or return on the target, with its 95% confidence interval"),
            ),
            (self.tr("State"), self.tr("State of the run")),
            (self.tr("Episodes"), self.tr("Number of target demonstrations")),
            (self.tr("Seed"), self.tr("Seed of the run")),
            (self.tr("Name"), self.tr("Name of the experiment")),
            (self.tr("Source → target"), self.tr("Source robot and target robot")),
            (self.tr("On source"), self.tr("Success rate on the source after adaptation, to measure forgetting")),
            (self.tr("Duration"), self.tr("Training time")),
            (self.tr("Trainable"), self.tr("Number of parameters that were trained")),
            (self.tr("Created"), self.tr("When the run was started")),
        ]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        run, column = self.rows[index.row()], index.column()
        if role == INFO:
            return run
        if role == SORT:
            return self._sort_key(run, column)
        if role == PROGRESS:
            return self._fraction(run)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(run, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == SHOWN:
            return Qt.CheckState.Checked if self.overlay.is_shown(run.folder) else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.TextAlignmentRole and column in _RIGHT:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(run, column)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == SHOWN:
            return self.tr("shown in the curves") if self.overlay.is_shown(run.folder) else self.tr("not shown")
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != SHOWN:
            return False
        self.overlay.set_shown([self.rows[index.row()].folder], Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    # -- words

    def text(self, run: Any, column: int) -> str:
        """Return a cell in words, as it is shown, searched and copied."""
        if column == STATE:
            fraction = self._fraction(run)
            if fraction is None:
                return self.state_name(run.state)
            stage = self._progress[1] if self._progress else ""
            return f"{stage} {fraction:.0%}"
        return {
            SHOWN: lambda: "",
            STRATEGY: lambda: self._title("strategies", run.strategy),
            SUCCESS: lambda: rate(run.success, run.measure),
            EPISODES: lambda: f"{run.episodes:,}",
            SEED: lambda: str(run.seed),
            NAME: lambda: run.name,
            DOMAINS: lambda: " → ".join(self._title("embodiments", robot) for robot in (run.source, run.target)),
            ON_SOURCE: lambda: rate(run.source_success, run.measure),
            DURATION: lambda: clock(run.seconds) if run.seconds and math.isfinite(run.seconds) else "–",
            TRAINABLE: lambda: f"{run.trainable_parameters:,}" if run.trainable_parameters else "–",
            CREATED: lambda: self.ago(time.time() - run.created),
        }[column]()

    def searched(self, run: Any) -> Searched:
        """Return what a search looks at: texts hold the id and the title."""
        texts = {
            "strategy": f"{run.strategy} {self.text(run, STRATEGY)}",
            "source": f"{run.source} {self._title('embodiments', run.source)}",
            "target": f"{run.target} {self._title('embodiments', run.target)}",
            "state": run.state,
            "name": f"{run.name} {run.folder.name}",
        }
        numbers = {
            "episodes": run.episodes,
            "seed": run.seed,
            "score": run.success,
            "on_source": run.source_success,
            "duration": run.seconds,
            "trainable": run.trainable_parameters,
        }
        everything = " ".join([*(self.text(run, column) for column in range(1, CREATED + 1)), *texts.values()])
        return Searched(texts, numbers, everything)

    def state_name(self, state: str) -> str:
        """Return a state in words."""
        known = {
            "preparing": self.tr("preparing"),
            "running": self.tr("running"),
            "paused": self.tr("paused"),
            "stopped": self.tr("stopped"),
            "finished": self.tr("finished"),
            "failed": self.tr("failed"),
            "interrupted": self.tr("interrupted"),
        }
        return known.get(state, state)

    def ago(self, seconds: float) -> str:
        """How long ago, coarsely."""
        for limit, unit, words in (
            (90, 1, self.tr("just now")),
            (90 * 60, 60, self.tr("%1 min ago")),
            (36 * 3600, 3600, self.tr("%1 h ago")),
            (math.inf, 86400, self.tr("%1 days ago")),
        ):
            if seconds < limit:
                return words.replace("%1", f"{seconds / unit:.0f}")
        return ""

    def _tip(self, run: Any, column: int) -> str:
        if column == SUCCESS and math.isfinite(run.success):
            words = self.tr("Success %1, 95% interval %2 to %3")
            if run.measure == "return":
                words = self.tr("Return %1, 95% interval %2 to %3")
            for mark, value in (("%1", run.success), ("%2", run.low), ("%3", run.high)):
                words = words.replace(mark, rate(value, run.measure))
            return words
        if column in (STRATEGY, DOMAINS):  # a column may be too narrow for it
            return f"{self.text(run, column)}\n{run.folder}"
        if column == CREATED:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.created))
        return str(run.folder)

    def _fraction(self, run: Any) -> float | None:
        if self._progress is None or run.state not in ALIVE or key_of(run.folder) != self._progress[0]:
            return None
        return self._progress[2] if math.isfinite(self._progress[2]) else None

    def _sort_key(self, run: Any, column: int) -> float | str:
        numbers = {
            SHOWN: float(self.overlay.is_shown(run.folder)),
            SUCCESS: run.success,
            EPISODES: run.episodes,
            SEED: run.seed,
            ON_SOURCE: run.source_success,
            DURATION: run.seconds,
            TRAINABLE: run.trainable_parameters,
            CREATED: run.created,
        }
        if column in numbers:
            value = numbers[column]
            return float(value) if value is not None and math.isfinite(value) else -math.inf
        return self.text(run, column).casefold()


class RunFilter(QSortFilterProxyModel):
    """Sorts by any column, and keeps the runs for which a search holds (:mod:`widgets.runs.query`)."""

    def __init__(self, table: RunTable, parent: Any = None) -> None:
        super().__init__(parent)
        self._conditions: list[Condition] = []
        self.setSourceModel(table)
        self.setSortRole(SORT)

    def search(self, text: str) -> None:
        """Take the search's text."""
        self._conditions = parse(text)
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        table: Any = self.sourceModel()
        if not self._conditions:
            return True
        searched = table.searched(table.rows[row])
        return all(holds(searched) for holds in self._conditions)

    def lessThan(self, left: Index, right: Index) -> bool:
        a, b = left.data(SORT), right.data(SORT)
        return bool(a < b) if a != b else left.row() < right.row()
